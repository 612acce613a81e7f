"""What transformers calls things in its versions, for the extractors and for the recipes that train them."""

from __future__ import annotations

import re
from typing import Any


def dtype_option(dtype: Any) -> dict:
    """``from_pretrained`` calls it ``dtype`` from transformers 4.56 on and ``torch_dtype`` before."""
    import transformers

    major, minor = (int(n) for n in re.findall(r"\d+", transformers.__version__)[:2])
    return {"dtype" if (major, minor) >= (4, 56) else "torch_dtype": dtype}


def nf4(compute_dtype: Any) -> Any:
    """4-bit weights as in QLoRA (Dettmers et al. 2305.14314): NormalFloat, double quantisation."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute_dtype
    )
