"""Files of volumes and masks, read with their geometry in mm."""
