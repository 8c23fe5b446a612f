"""The runner of the load lab: scenarios in, results out.

=========== ================================================================
scenario    a scenario file, checked
local       Redis, chat pods and Locust on this machine
cluster     the same scenario against the current Kubernetes context
samples     CPU and memory of pods and Redis while a run is on
faults      what is broken on purpose, and when
experiment  one run from start to results folder
usl         the Universal Scalability Law: fit, error, Little's law
capacity    the highest rate that keeps the objective
sweep       many runs, one model
compare     two sets of runs, with a noise floor
charts      pictures, readable in black and white
report      the README and tables of a results folder
command     the command lines
=========== ================================================================
"""
