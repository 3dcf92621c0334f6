"""The fake DNS: zones, answers, faults, and a journal of the questions asked."""
