// Recurrent layers against LibTorch's: outputs, state and every gradient.
#include "torch/unrolled.hpp"

#include <gtest/gtest.h>

namespace fleet {
namespace {

using torch::Tensor;

struct LayerCase {
  Cell cell;
  int lanes;
  int steps;
  int width;
};

class EveryLayer : public testing::TestWithParam<LayerCase> {
 protected:
  static constexpr int kFeatures = 5;

  void SetUp() override {
    torch::manual_seed(3);
    const auto [cell, lanes, steps, width] = GetParam();
    const int rows = gates_of(cell) * width;
    weights_ = {.input = parameter({rows, kFeatures}),
                .recurrent = parameter({rows, width}),
                .bias = parameter({rows}),
                .state_bias = cell == Cell::kGru ? c10::make_optional(parameter({rows})) : c10::nullopt};
    inputs_ = torch::randn({lanes, steps, kFeatures}).requires_grad_(true);
    for (int i = 0; i < states_of(cell); ++i) before_.push_back(torch::randn({lanes, width}));
    weighting_ = torch::randn({lanes, steps, width});
  }

  /// Outputs, the state after them, and the slopes of a random sum of outputs.
  std::vector<Tensor> all_of(const std::function<decltype(unroll)>& layer) const {
    std::vector<Tensor> state = before_;
    const Tensor outputs = layer(GetParam().cell, weights_, inputs_, state.data());
    std::vector<Tensor> trained{inputs_, weights_.input, weights_.recurrent, weights_.bias};
    if (weights_.state_bias) trained.push_back(*weights_.state_bias);
    std::vector<Tensor> all = torch::autograd::grad({(outputs * weighting_).sum()}, trained);
    all.push_back(outputs.detach());
    for (const Tensor& tensor : state) {
      EXPECT_FALSE(tensor.requires_grad());
      all.push_back(tensor);
    }
    return all;
  }

  static Tensor parameter(const std::vector<std::int64_t>& shape) {
    return torch::randn(shape).mul_(1.5 / std::sqrt(GetParam().width)).requires_grad_(true);
  }

  CellWeights weights_;
  Tensor inputs_;
  std::vector<Tensor> before_;
  Tensor weighting_;
};

TEST_P(EveryLayer, is_the_librarys) {
  const std::vector<Tensor> ours = all_of(unroll);
  const std::vector<Tensor> theirs = all_of(unroll_by_library);
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].sizes(), theirs[i].sizes());
    EXPECT_GT(theirs[i].norm().item<double>(), 0.0);
    EXPECT_LT((ours[i] - theirs[i]).norm().item<double>(), 3e-6 * theirs[i].norm().item<double>()) << i;
  }
}

TEST_P(EveryLayer, a_step_at_a_time_is_all_at_once) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> state = before_;
  std::vector<Tensor> states = before_;
  const Tensor outputs = unroll(GetParam().cell, weights_, inputs_, state.data());
  for (int t = 0; t < GetParam().steps; ++t) {
    const Tensor step = unroll(GetParam().cell, weights_, inputs_.narrow(1, t, 1), states.data());
    EXPECT_LT((step - outputs.narrow(1, t, 1)).abs().max().item<double>(), 1e-5);
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    EXPECT_LT((state[i] - states[i]).abs().max().item<double>(), 1e-5);
  }
}

std::vector<LayerCase> every_layer() {
  std::vector<LayerCase> cases;
  for (const Cell cell : {Cell::kTanh, Cell::kRelu, Cell::kLstm, Cell::kGru}) {
    for (const int lanes : {1, 4, 7, 33}) cases.push_back({cell, lanes, 6, 19});
    cases.push_back({cell, 3, 2, 8});    // a single step goes by the library itself
    cases.push_back({cell, 2, 2, 530});  // more columns than are taken at once
  }
  return cases;
}

std::string name_of_layer(const testing::TestParamInfo<LayerCase>& tested) {
  constexpr std::array<const char*, 4> kNames{"tanh", "relu", "lstm", "gru"};
  const auto [cell, lanes, steps, width] = tested.param;
  return std::string(kNames.at(static_cast<std::size_t>(cell))) + "_" + std::to_string(lanes) + "_lanes_" +
         std::to_string(steps) + "_steps_" + std::to_string(width) + "_wide";
}

INSTANTIATE_TEST_SUITE_P(Layers, EveryLayer, testing::ValuesIn(every_layer()), name_of_layer);

}  // namespace
}  // namespace fleet
