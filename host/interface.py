"""What nodes need of the host's node API."""

from __future__ import annotations

from dataclasses import fields


def schema(**kwargs):
    """An `io.Schema` with only the fields this host knows (`search_aliases` raises TypeError on 0.3.75)."""
    from comfy_api.latest import io

    known = {f.name for f in fields(io.Schema)}
    return io.Schema(**{k: v for k, v in kwargs.items() if k in known})


def sampler_names() -> list[str]:
    import comfy.samplers

    return list(comfy.samplers.KSampler.SAMPLERS)


def scheduler_names() -> list[str]:
    import comfy.samplers

    return list(comfy.samplers.KSampler.SCHEDULERS)
