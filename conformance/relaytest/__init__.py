"""The open-relay question for one host: does it relay for a stranger, and by which trick?"""
