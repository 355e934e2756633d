#include "torch/point_encoder.hpp"

#include "base/error.hpp"

namespace fleet {

PointEncoder PointEncoder::read(SettingsReader& settings, const NetworkShape& shape) {
  std::vector<int> widths{32, 64, 128};
  read_widths(settings, "model.points", widths, "Widths of the layers that each point of a cloud passes.");
  if (widths.empty()) {
    reject("model.points", settings.resolved().at("model.points"), "points pass at least one layer");
  }
  return {shape, widths};
}

Features PointEncoder::add_to(Blueprint& blueprint) const {
  const int rest = shape_.inputs - shape_.points * shape_.channels;
  Features from{.size = shape_.channels + rest, .group = std::nullopt};
  for (std::size_t l = 0; l < widths_.size(); ++l) {
    const std::string name = "points." + std::to_string(l);
    const Features to{.size = widths_[l], .group = blueprint.add_group(name, widths_[l])};
    blueprint.add_layer(name, from, to);
    from = to;
  }
  return from;
}

torch::Tensor PointEncoder::encode(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                                   Pass& pass) const {
  const std::int64_t rows = inputs.size(0);
  const std::int64_t numbers = std::int64_t{shape_.points} * shape_.channels;
  torch::Tensor hidden = inputs.narrow(1, 0, numbers).reshape({rows, shape_.points, shape_.channels});
  if (const std::int64_t rest = inputs.size(1) - numbers; rest > 0) {
    const torch::Tensor others = inputs.narrow(1, numbers, rest).unsqueeze(1).expand({rows, shape_.points, rest});
    hidden = torch::cat({hidden, others}, 2);
  }
  hidden = hidden.flatten(0, 1);
  for (std::size_t l = 0; l < widths_.size(); ++l) {
    if (pass.ends_at(l, hidden)) return {};
    hidden = pass.probed(torch::linear(hidden, parameters[2 * l], parameters[2 * l + 1])).relu_();
  }
  return std::get<0>(hidden.view({rows, shape_.points, widths_.back()}).max(1));
}

}  // namespace fleet
