"""What the panels of notebook 02 show: four miniatures of famous applications, and the gradient in deep networks."""
