"""Samplers and schedulers by other names, and the nearest of those that a backend has."""

import re
from collections.abc import Mapping, Sequence

_KNOWN_SCHEDULERS = (
    "karras",
    "exponential",
    "sgm_uniform",
    "ddim_uniform",
    "polyexponential",
    "simple",
    "normal",
    "beta",
    "kl_optimal",
    "linear_quadratic",
)
_ALIASES: Mapping[str, str] = {
    "euler_a": "euler_ancestral",
    "dpm2": "dpm_2",
    "dpm2_a": "dpm_2_ancestral",
    "dpm++_2m": "dpmpp_2m",
    "dpm++_sde": "dpmpp_sde",
    "dpm++_2m_sde": "dpmpp_2m_sde",
    "dpm++_3m_sde": "dpmpp_3m_sde",
    "dpm++_2s_a": "dpmpp_2s_ancestral",
    "dpm++_2s_ancestral": "dpmpp_2s_ancestral",
    "dpm++_2m_sde_heun": "dpmpp_2m_sde_heun",
    "dpm_fast": "dpm_fast",
    "dpm_adaptive": "dpm_adaptive",
    "unipc": "uni_pc",
    "plms": "lms",
}
_SCHEDULER_ALIASES: Mapping[str, str] = {
    "automatic": "normal",
    "uniform": "normal",
    "sgm": "sgm_uniform",
    "ddim": "ddim_uniform",
    "polyexponential": "exponential",
}
_FAMILIES = (
    # Within a line each is a fair stand-in for the others; better ones first.
    ("euler_ancestral", "euler_ancestral_cfg_pp", "dpm_2_ancestral", "dpmpp_2s_ancestral"),
    ("dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_3m_sde"),
    ("dpmpp_2m", "dpmpp_2m_cfg_pp", "res_multistep", "uni_pc", "uni_pc_bh2", "ipndm", "deis"),
    ("heun", "heunpp2", "dpm_2", "lms"),
    ("euler", "euler_cfg_pp", "ddim", "ddpm", "lcm"),
)
_SCHEDULER_FAMILIES = (
    ("karras", "exponential", "kl_optimal", "beta"),
    ("simple", "sgm_uniform", "normal", "ddim_uniform", "linear_quadratic", "beta"),
)


def nearest(
    sampler: str,
    *,
    scheduler: str,
    samplers: Sequence[str],
    schedulers: Sequence[str],
) -> tuple[str, str]:
    """The sampler and scheduler to use where these are offered; none offered means not told."""
    if sampler in samplers or not samplers:
        return sampler, _nearest_scheduler(scheduler, offered=schedulers)
    # Other programs name both at once: "DPM++ 2M Karras".
    name, named_scheduler = _split(sampler)
    return (
        _stand_in(_ALIASES.get(name, name), families=_FAMILIES, offered=samplers, last="euler"),
        _nearest_scheduler(named_scheduler or scheduler, offered=schedulers),
    )


def _nearest_scheduler(wanted: str, *, offered: Sequence[str]) -> str:
    if wanted in offered or not offered:
        return wanted
    name = _normal(wanted)
    name = _SCHEDULER_ALIASES.get(name, name) if name not in offered else name
    return _stand_in(name, families=_SCHEDULER_FAMILIES, offered=offered, last="normal")


def _stand_in(
    wanted: str, *, families: Sequence[Sequence[str]], offered: Sequence[str], last: str
) -> str:
    if wanted in offered:
        return wanted
    family = next((each for each in families if wanted in each), ())
    return next((each for each in (*family, last) if each in offered), offered[0])


def _split(sampler: str) -> tuple[str, str | None]:
    name = _normal(sampler)
    for scheduler in _KNOWN_SCHEDULERS:
        if name.endswith(f"_{scheduler}"):
            return name.removesuffix(f"_{scheduler}"), scheduler
    return name, None


def _normal(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower())
