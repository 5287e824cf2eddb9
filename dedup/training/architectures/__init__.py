"""The parts of siamese networks: tokens and embeddings, towers, pooling, heads and objectives.

Each part is a module of torch that can also write itself as ONNX; parameters keep torch's names and layout there, so a
trained model can be loaded again.
"""
