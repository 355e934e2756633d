// The one precompiled header: torch/torch.h costs half a minute a translation unit without it.
#pragma once

#include <torch/torch.h>
