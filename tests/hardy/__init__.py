"""What the robustness tests and ``bench/kill.py`` share: server processes and rough clients."""
