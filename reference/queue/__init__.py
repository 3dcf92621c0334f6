"""The Queue: message files, Enqueuer, Dequeuer and delivery status notifications."""
