"""Running scenarios: the engine, the judges of steps, outcomes, baselines and result files."""
