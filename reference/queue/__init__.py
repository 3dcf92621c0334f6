"""The Queue: message files, Enqueuer, Dequeuer and delivery status notifications."""

from reference.queue.delivery import DeliveryModule, Entry, Outcome, Reports, Result
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.queue import Draft, Queue, QueueError
from reference.queue.threads import PoolThreads, Threads

__all__ = [
    "DeliveryModule",
    "Draft",
    "Entry",
    "Envelope",
    "Outcome",
    "PoolThreads",
    "Queue",
    "QueueError",
    "Recipient",
    "Reports",
    "Result",
    "Source",
    "Threads",
]
