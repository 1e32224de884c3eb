# The GPU pod: this project with vLLM, for one machine or a node of a cluster (docs/gpu_pod.md).
# CUDA's libraries come with the Python packages, so the base needs none; the host needs its driver and the NVIDIA
# container toolkit. A compiler and Python's headers are there for Triton and torch.compile.
FROM python:3.12-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc g++ tini \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/lang_persona

# Packages first: a change of the code leaves this layer as it is.
COPY pyproject.toml constraints-gpu.txt README.md LICENSE .telemetry ./
COPY src/lang_persona/__init__.py src/lang_persona/__init__.py
RUN pip install --no-cache-dir --upgrade pip \
    && pip install --no-cache-dir --constraint constraints-gpu.txt --editable ".[gpu,scale]"

COPY conf conf
COPY data/01_raw data/01_raw
COPY src src

# Reports name the commit that they were made with; there is no git in here to ask (docs/gpu_pod.md has the build command).
ARG COMMIT=""
ENV LANG_PERSONA_COMMIT=$COMMIT

# What the NVIDIA container toolkit puts in: CUDA, and nvidia-smi.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility

# Results and caches (weights, compiled kernels) outlive the container on these two volumes.
ENV HF_HOME=/cache/huggingface \
    XDG_CACHE_HOME=/cache \
    TRITON_CACHE_DIR=/cache/triton \
    TORCHINDUCTOR_CACHE_DIR=/cache/inductor
VOLUME ["/opt/lang_persona/data/gpu_pod", "/cache"]

# tini hands signals on and reaps the processes of vLLM and FSDP, so that a stopped container leaves no full card.
ENTRYPOINT ["tini", "-g", "--", "kedro"]
CMD ["run", "--env", "gpu_pod", "--only-missing-outputs"]
