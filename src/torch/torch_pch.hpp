// What of LibTorch this layer uses, and what all layers share, precompiled: tensors and autograd, without modules,
// optimisers and loaders of data, which torch/torch.h has as well and which double the time of every file.
#pragma once

#include <torch/autograd.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "model/model_pch.hpp"
