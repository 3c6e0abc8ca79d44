"""What the panels of notebook 01 show: approximation by ReLUs, gradient descent, back-propagation, a small CNN."""
