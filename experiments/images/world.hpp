// Worlds of labelled images: MNIST and its kin, CIFAR-10 and CIFAR-100 (FLEET-MERGE, Appendix F).
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Their rows in the table of worlds.
[[nodiscard]] WorldEntry mnist_world();
[[nodiscard]] WorldEntry cifar10_world();
[[nodiscard]] WorldEntry cifar100_world();

}  // namespace fleet
