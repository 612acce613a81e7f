"""Other readers of comments: ViPer's own extractor, any chat model that sees, any local server. Each is an extractor to connect."""

from comfy_api.latest import io

from .. import host
from ..vpe import asking, folders
from ..vpe.endpoint import EndpointExtractor, address
from ..vpe.vlm import PRECISIONS, ChatModel, VisionLanguageExtractor, load_vpe
from ._types import ExtractorType, check, one_of

BASE, ADAPTER = "idefics2-8b", "VPE-ViPer"
BASES, ADAPTERS, CHATS = ("vpe", "vlm", "LLM"), ("vpe",), ("vlm", "LLM", "vpe")
NONE = "none"


def found(kinds, file="config.json") -> list[str]:
    return list(folders.folders(kinds, file))


def base_input():
    return io.Combo.Input(
        "base",
        options=list(dict.fromkeys([BASE, *found(BASES)])),
        default=BASE,
        tooltip="The folder of HuggingFaceM4/idefics2-8b in models/vpe.",
    )


def download_input():
    return io.Boolean.Input(
        "download",
        optional=True,
        default=False,
        tooltip="Fetch what is missing from huggingface.co into models/vpe, once (about 34 GB). Off: nothing is downloaded.",
    )


def precision_input():
    return io.Combo.Input(
        "precision",
        options=list(PRECISIONS),
        default="auto",
        tooltip="auto: bf16 where the device knows it. 8-bit and 4-bit need about a half and a third of its memory, and the Python "
        "package bitsandbytes.",
    )


def task_input():
    return io.String.Input(
        "task", optional=True, multiline=True, default=asking.TASK, tooltip="What the model is told to do before it sees the comments."
    )


class LoadVPE(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadVPE",
            display_name="Load VPE",
            category="ViPer/extractors",
            description="The paper's own Visual Preference Extractor: IDEFICS2-8b with the VPE adapter. It reads the comments and looks "
            "at the pictures together. From folders in models/vpe; nothing is downloaded unless you ask.",
            search_aliases=["viper", "idefics2", "visual preference extractor"],
            inputs=[
                base_input(),
                io.Combo.Input(
                    "adapter",
                    options=list(dict.fromkeys([ADAPTER, *found(ADAPTERS, "adapter_config.json"), NONE])),
                    default=ADAPTER,
                    tooltip="The folder of EPFL-VILAB/VPE-ViPer in models/vpe, or an adapter of your own. Needs the Python package peft.",
                ),
                precision_input(),
                task_input(),
                download_input(),
            ],
            outputs=[ExtractorType.Output(display_name="extractor")],
        )

    @classmethod
    def validate_inputs(cls, base=None, adapter=None, precision=None):
        # A folder that is not here yet may be downloaded, and is named by the run if not: any name is valid.
        return check(one_of, "precision", precision, PRECISIONS)

    @classmethod
    def execute(cls, base, adapter, precision, task=asking.TASK, download=False) -> io.NodeOutput:
        on_top = None if adapter == NONE else folders.locate(adapter, folders.ADAPTER_REPO, ADAPTERS, "adapter_config.json", download)
        below = folders.locate(base, folders.BASE_REPO, BASES, "config.json", download)
        return io.NodeOutput(load_vpe(below, on_top, precision, task))


class LoadVLM(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerLoadVLM",
            display_name="Load Vision-Language Model",
            category="ViPer/extractors",
            description="Any chat model that sees (SmolVLM, Qwen-VL, LLaVA, Idefics …), from a folder in models/vlm or models/LLM.",
            search_aliases=["viper", "VLM", "qwen", "llava", "smolvlm", "captioning"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=found(CHATS) or [NONE],
                    tooltip="A folder as transformers saves it: config.json, tokenizer, processor and .safetensors files.",
                ),
                precision_input(),
                task_input(),
                io.Int.Input(
                    "image_size",
                    optional=True,
                    default=512,
                    min=64,
                    max=4096,
                    step=64,
                    tooltip="Pictures are scaled to at most this many pixels on the longer side. Larger ones cost time and memory.",
                ),
                io.Int.Input(
                    "max_new_tokens",
                    optional=True,
                    default=1024,
                    min=64,
                    max=8192,
                    tooltip="The longest answer. Models that think aloud need more.",
                ),
            ],
            outputs=[ExtractorType.Output(display_name="extractor")],
        )

    @classmethod
    def validate_inputs(cls, model=None, precision=None):
        # Folders come and go between two looks at the list: the run names the ones that are there.
        return check(one_of, "precision", precision, PRECISIONS)

    @classmethod
    def execute(cls, model, precision, task=asking.TASK, image_size=512, max_new_tokens=1024) -> io.NodeOutput:
        chat = ChatModel(folders.named(model, CHATS), precision=precision)
        return io.NodeOutput(VisionLanguageExtractor(chat, task or asking.TASK, image_size, max_new_tokens=max_new_tokens))


class Endpoint(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return host.schema(
            node_id="ViPerEndpoint",
            display_name="Extractor Endpoint",
            category="ViPer/extractors",
            description="A model behind an OpenAI-compatible server, such as Ollama, llama.cpp, LM Studio or vLLM. Comments and pictures "
            "are sent to this address when the graph runs, and nowhere else.",
            search_aliases=["viper", "ollama", "llama.cpp", "lm studio", "vllm", "openai"],
            inputs=[
                io.String.Input(
                    "url",
                    default="http://127.0.0.1:11434/v1",
                    tooltip="The server's address. Ollama: port 11434, llama.cpp: 8080, LM Studio: 1234, vLLM: 8000. A key is never put "
                    "here: set VIPER_API_KEY, and VIPER_API_URL for the one server that may get it.",
                ),
                io.String.Input("model", default="", tooltip="The model's name on that server. Empty: the first one it offers."),
                task_input(),
                io.Int.Input(
                    "image_size",
                    optional=True,
                    default=768,
                    min=0,
                    max=4096,
                    step=64,
                    tooltip="Pictures are scaled to at most this many pixels on the longer side. 0 sends words alone.",
                ),
                io.Float.Input(
                    "timeout",
                    optional=True,
                    default=300.0,
                    min=1.0,
                    max=3600.0,
                    step=1.0,
                    tooltip="Seconds to wait without a sign of the server. A large model takes its time to load.",
                ),
                io.Int.Input("retries", optional=True, default=2, min=0, max=10, tooltip="How often to try again when a connection fails."),
            ],
            outputs=[ExtractorType.Output(display_name="extractor")],
        )

    @classmethod
    def validate_inputs(cls, url=None):
        return check(address, url)

    @classmethod
    def execute(cls, url, model, task=asking.TASK, image_size=768, timeout=300.0, retries=2) -> io.NodeOutput:
        return io.NodeOutput(EndpointExtractor(url, model, task, image_size, timeout, retries))


NODES = [LoadVPE, LoadVLM, Endpoint]
