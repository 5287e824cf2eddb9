"""Train any architecture on labelled pairs: configuration, splitting, negatives, the loop, and the model directory."""
