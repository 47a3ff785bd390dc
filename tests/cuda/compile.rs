//! NVRTC and ptxas on all kernels, where they are installed (`scripts/setup.sh` puts them in .venv,
//! `scripts/environment.sh` says where).
