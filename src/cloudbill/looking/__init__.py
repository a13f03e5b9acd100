"""What is loaded, what came before, and whether it is right; reads only.

May import anything but `cli`, `doctor` and `report`.
"""
