"""What the panels of notebook 03 show: corrupted data, predicted weights, federated averaging, published networks."""
