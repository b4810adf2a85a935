"""The arithmetic under the method: noise, change points, seasons, chance, counts.

Each file answers one question on plain arrays.
"""
