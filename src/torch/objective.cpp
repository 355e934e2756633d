#include "torch/objective.hpp"

#include <cmath>
#include <numbers>

#include "base/error.hpp"

namespace fleet {
namespace {

class CrossEntropy final : public Objective {
 public:
  explicit CrossEntropy(bool characters) : characters_(characters) {}

  torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    return torch::nll_loss(torch::log_softmax(outputs, 1), targets);
  }

  std::vector<std::string> metrics() const override {
    if (characters_) return {"accuracy", "bits_per_character", "loss"};
    return {"accuracy", "loss"};
  }

  std::vector<Score> scores(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const torch::Tensor log_p = torch::log_softmax(outputs, 1);
    const auto rows = static_cast<double>(targets.size(0));
    const double loss = torch::nll_loss(log_p, targets, {}, at::Reduction::Sum).item<double>();
    std::vector<Score> scores{{log_p.argmax(1).eq(targets).sum().item<double>(), rows}};
    if (characters_) scores.push_back({loss / std::numbers::ln2, rows});
    scores.push_back({loss, rows});
    return scores;
  }

  torch::Tensor rows(const torch::Tensor& targets, std::int64_t outputs) const override {
    return torch::one_hot(targets, outputs).to(torch::kFloat32);
  }

  torch::Tensor error(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const torch::Tensor p = torch::softmax(outputs, 1);
    return p.scatter_add(1, targets.unsqueeze(1), torch::full({targets.size(0), 1}, -1.0F, p.options()));
  }

  /// softmax - onehot(y), y drawn from the softmax.
  torch::Tensor curvature_draw(const torch::Tensor& outputs, const torch::Tensor& uniform) const override {
    const torch::Tensor below = torch::softmax(outputs, 1).cumsum(1) <= uniform.narrow(1, 0, 1);
    return error(outputs, below.sum(1).clamp_max(outputs.size(1) - 1));
  }

  double curvature(std::int64_t /*outputs*/) const override { return 0.5; }
  bool is_quadratic() const override { return false; }

 private:
  bool characters_;
};

class SquaredError final : public Objective {
 public:
  torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    return torch::mse_loss(outputs, targets);
  }

  std::vector<std::string> metrics() const override { return {"loss"}; }

  std::vector<Score> scores(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const auto rows = static_cast<double>(targets.size(0));
    return {{loss(outputs, targets).item<double>() * rows, rows}};
  }

  torch::Tensor rows(const torch::Tensor& targets, std::int64_t /*outputs*/) const override { return targets; }

  torch::Tensor error(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    return (outputs - targets) * (2.0 / static_cast<double>(targets.size(1)));
  }

  /// +-sqrt(2 / K) for the mean of K squares.
  torch::Tensor curvature_draw(const torch::Tensor& outputs, const torch::Tensor& uniform) const override {
    return (uniform < 0.5).to(outputs.dtype()).mul_(2.0).sub_(1.0).mul_(std::sqrt(curvature(outputs.size(1))));
  }

  double curvature(std::int64_t outputs) const override { return 2.0 / static_cast<double>(outputs); }
  bool is_quadratic() const override { return true; }
};

class MaskedSquaredError final : public Objective {
 public:
  torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const torch::Tensor known = targets.isnan().logical_not();
    return torch::where(known, outputs - targets, torch::zeros_like(outputs)).square().sum() / known.sum();
  }

  std::vector<std::string> metrics() const override { return {"loss"}; }

  std::vector<Score> scores(const torch::Tensor& outputs, const torch::Tensor& targets) const override {
    const torch::Tensor known = targets.isnan().logical_not();
    const torch::Tensor squares = torch::where(known, outputs - targets, torch::zeros_like(outputs)).square();
    return {{(squares.sum(1) / known.sum(1)).sum().item<double>(), static_cast<double>(targets.size(0))}};
  }

  torch::Tensor rows(const torch::Tensor& /*targets*/, std::int64_t /*outputs*/) const override { refuse(); }
  torch::Tensor error(const torch::Tensor& /*outputs*/, const torch::Tensor& /*targets*/) const override { refuse(); }
  torch::Tensor curvature_draw(const torch::Tensor& /*outputs*/, const torch::Tensor& /*uniform*/) const override {
    refuse();
  }
  double curvature(std::int64_t /*outputs*/) const override { refuse(); }
  bool is_quadratic() const override { return true; }

 private:
  [[noreturn]] static void refuse() { throw Error("actions of different sizes make no common rows"); }
};

}  // namespace

std::shared_ptr<const Objective> make_cross_entropy(bool characters) {
  return std::make_shared<CrossEntropy>(characters);
}

std::shared_ptr<const Objective> make_squared_error() {
  return std::make_shared<SquaredError>();
}

std::shared_ptr<const Objective> make_masked_squared_error() {
  return std::make_shared<MaskedSquaredError>();
}

torch::Tensor backpropagate(const Network& network, const Objective& objective,
                            const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                            const torch::Tensor& targets, Pass& pass, const std::vector<torch::Tensor>& slopes) {
  const auto loss = [&](const torch::Tensor& outputs) { return objective.loss(outputs, targets); };
  return backpropagate(network, loss, parameters, inputs, pass, slopes);
}

torch::Tensor backpropagate(const Network& network, const Loss& loss_of, const std::vector<torch::Tensor>& parameters,
                            const torch::Tensor& inputs, Pass& pass, const std::vector<torch::Tensor>& slopes) {
  std::vector<torch::Tensor> trained;
  std::vector<torch::Tensor> trained_slopes;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (pass.training && network.is_statistic(i)) {
      slopes[i].zero_();
      continue;
    }
    parameters[i].requires_grad_(true);
    trained.push_back(parameters[i]);
    trained_slopes.push_back(slopes[i]);
  }
  const torch::Tensor loss = loss_of(network.forward(parameters, inputs, pass));
  const std::vector<torch::Tensor> gradients = torch::autograd::grad({loss}, trained);
  for (std::size_t i = 0; i < gradients.size(); ++i) trained_slopes[i].copy_(gradients[i]);
  return loss.detach();
}

}  // namespace fleet
