// A network for clouds of points.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// Reads "model.points" and "model.hidden", the widths of the layers of each point, and of those behind the maximum.
[[nodiscard]] std::shared_ptr<const Network> make_pointnet(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
