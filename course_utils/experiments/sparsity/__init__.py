"""What the panels of notebook 04 show: networks along lambda, the geometry of a penalty, proximal steps."""
