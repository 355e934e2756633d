// What a rank's networks compute on: the processor, or one of its node's GPUs.
#pragma once

#include <string>

#include "base/settings.hpp"

namespace fleet {

enum class DeviceKind {
  kCpu,
  kStagedCpu,  ///< the processor, with every copy that a GPU needs: for tests of these copies
  kCuda,       ///< the GPU of take_gpu(), else the node's first
};

/// Reads "run.device" ("cpu" or "cuda"). ConfigError where this LibTorch was built for no GPU. Whether there is one is
/// not asked: a sweep may be planned where there is none.
[[nodiscard]] DeviceKind read_device(SettingsReader& settings);

/// Makes one of the node's GPUs this process's own, the `rank_on_node`-th in turn, and returns its name ("cuda:1 of
/// 4"). Error, saying what LibTorch sees and what to do, where it sees none.
std::string take_gpu(int rank_on_node);

}  // namespace fleet
