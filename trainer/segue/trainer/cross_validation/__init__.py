"""Draws folds that keep artists together, and scores predictions for artists that a network was not trained on."""
