// MNIST and Fashion-MNIST: the paper's supervised ablation (Appendix F).
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds.
[[nodiscard]] WorldEntry mnist_world();

}  // namespace fleet
