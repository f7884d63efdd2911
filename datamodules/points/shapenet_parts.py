"""The categories and parts of ShapeNetPart, as both published releases number them."""

from itertools import accumulate, pairwise

# Name, folder of the text release, number of parts; the parts of all categories are numbered through in this order.
CATEGORIES = (
    ("Airplane", "02691156", 4),
    ("Bag", "02773838", 2),
    ("Cap", "02954340", 2),
    ("Car", "02958343", 4),
    ("Chair", "03001627", 4),
    ("Earphone", "03261776", 3),
    ("Guitar", "03467517", 3),
    ("Knife", "03624134", 2),
    ("Lamp", "03636649", 4),
    ("Laptop", "03642806", 2),
    ("Motorbike", "03790512", 6),
    ("Mug", "03797390", 2),
    ("Pistol", "03948459", 3),
    ("Rocket", "04099429", 3),
    ("Skateboard", "04225987", 3),
    ("Table", "04379243", 3),
)
CLASS_NAMES = tuple(name for name, _, _ in CATEGORIES)
FOLDERS = tuple(folder for _, folder, _ in CATEGORIES)
PART_NAMES = tuple(f"{name} {number}" for name, _, count in CATEGORIES for number in range(1, count + 1))
NUM_PARTS = len(PART_NAMES)
_LIMITS = accumulate((count for _, _, count in CATEGORIES), initial=0)
CLASS_PARTS = tuple(tuple(range(first, end)) for first, end in pairwise(_LIMITS))
