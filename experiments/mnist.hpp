// MNIST and Fashion-MNIST: the paper's supervised ablation (Appendix F).
#pragma once

#include <memory>

#include "sweep/world.hpp"

namespace fleet {

[[nodiscard]] std::unique_ptr<World> make_mnist();

}  // namespace fleet
