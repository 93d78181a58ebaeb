"""The machine types that can be simulated."""

MACHINES = ("bearing", "fan", "gearbox", "slider", "ToyCar", "ToyTrain", "valve")
"""The machine types that there is a physical model of: those of DCASE 2022."""
