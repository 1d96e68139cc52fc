"""What is run with vLLM's own environment is not collected with this one's."""

collect_ignore = ["vllm"]
