"""DreamBooth: teach a model a subject of one's own (Ruiz et al., CVPR 2023, arXiv 2208.12242)."""
