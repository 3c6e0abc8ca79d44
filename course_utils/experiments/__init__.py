"""What the panels show: small trainings and searches, without a picture of them."""
