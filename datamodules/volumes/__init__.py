"""Data modules of volumes: generated ones, MedMNIST3D, the Decathlon, and folders of NIfTI files."""
