#include "torch/text_generator.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "network_cases.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

using Symbols = std::vector<std::uint8_t>;

class EveryWriter : public testing::TestWithParam<NetworkCase> {
 protected:
  void SetUp() override {
    SettingsReader reader(GetParam().settings);
    network_ = make_network(reader, GetParam().shape);
    weights_.emplace(network_->layout());
    RandomStream stream(4, Purpose::kTest);
    network_->initialize(*weights_, stream);
    for (float& w : weights_->flat()) w *= 3.0F;  // opinions strong enough to tell apart
  }
  Symbols write(const Symbols& prompt, std::int64_t length, double temperature, std::uint64_t seed = 0) {
    RandomStream stream(seed, Purpose::kTest);
    return continue_text(*network_, *weights_, prompt, length,
                         {.temperature = temperature, .window = GetParam().shape.steps}, stream);
  }
  /// The network's outputs for a text, one row per symbol, in one pass.
  torch::Tensor read(const Symbols& text) {
    const torch::NoGradGuard no_grad;
    const std::vector<std::int64_t> symbols(text.begin(), text.end());
    return network_->forward(Network::views(*weights_), torch::tensor(symbols).unsqueeze(0));
  }

  std::shared_ptr<const Network> network_;
  std::optional<ParamVector> weights_;
};

TEST_P(EveryWriter, at_temperature_zero_takes_what_one_pass_over_the_whole_text_finds_likeliest) {
  Symbols text{2, 5};
  const Symbols added = write(text, 4, 0.0);
  text.insert(text.end(), added.begin(), added.end());
  const torch::Tensor likeliest = read(text).argmax(1);
  for (std::size_t i = 0; i < added.size(); ++i) {
    EXPECT_EQ(likeliest[static_cast<std::int64_t>(i) + 1].item<std::int64_t>(), added[i]) << i;
  }
}

TEST_P(EveryWriter, cooling_down_ends_in_greed) {
  const Symbols greedy = write({1}, 30, 0.0);
  for (std::uint64_t seed = 0; seed < 5; ++seed) EXPECT_EQ(write({1}, 30, 1e-9, seed), greedy);
}

TEST_P(EveryWriter, the_stream_decides_the_text) {
  EXPECT_EQ(write({1}, 40, 1.0, 7), write({1}, 40, 1.0, 7));
  EXPECT_NE(write({1}, 40, 1.0, 7), write({1}, 40, 1.0, 8));
}

TEST_P(EveryWriter, draws_symbols_as_often_as_the_softmax_of_its_outputs_says) {
  constexpr int kDraws = 4000;
  const double temperature = 1.5;
  const torch::Tensor expected = torch::softmax(read({3, 0})[1] / temperature, 0) * kDraws;
  std::vector<double> counts(static_cast<std::size_t>(expected.numel()));
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) counts[write({3, 0}, 1, temperature, seed)[0]] += 1.0;
  // Each count lies within five standard deviations.
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto mean = expected[static_cast<std::int64_t>(i)].item<double>();
    EXPECT_NEAR(counts[i], mean, 5.0 * std::sqrt(mean) + 1.0) << i;
  }
}

TEST_P(EveryWriter, names_what_it_cannot_go_on_from) {
  EXPECT_THROW(write({}, 1, 1.0), Error);
  weights_->flat().back() = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(write({1}, 1, 0.0), Error);
}

INSTANTIATE_TEST_SUITE_P(Recurrent, EveryWriter, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, EveryWriter, kTransformers, name_of);

class TransformerWriter : public EveryWriter {};

TEST_P(TransformerWriter, looks_back_on_a_window_at_most) {
  EXPECT_EQ(write({0, 6, 5, 1, 2, 3, 4, 5, 6}, 20, 0.0), write({1, 2, 3, 4, 5, 6}, 20, 0.0));
}

INSTANTIATE_TEST_SUITE_P(Transformers, TransformerWriter, kTransformers, name_of);

}  // namespace
}  // namespace fleet
