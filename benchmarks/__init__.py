"""The harness, in the order data flows through it: scenario, workloads, targets, run, measures, report."""
