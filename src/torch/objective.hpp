// What a network is trained for: the loss of its outputs and how well they do. Seen only inside src/torch.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "merge/merger.hpp"
#include "torch/network.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

/// Of outputs (rows x outputs) against targets, one per row.
class Objective {
 public:
  virtual ~Objective() = default;
  /// Mean over the rows.
  [[nodiscard]] virtual torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& targets) const = 0;
  /// Names of what scores() returns; the last is the loss, and any before it are better when higher or follow from it.
  [[nodiscard]] virtual std::vector<std::string> metrics() const = 0;
  [[nodiscard]] virtual std::vector<Score> scores(const torch::Tensor& outputs, const torch::Tensor& targets) const = 0;
  /// The targets as rows that a linear map can be fitted to.
  [[nodiscard]] virtual torch::Tensor rows(const torch::Tensor& targets, std::int64_t outputs) const = 0;
  /// d (summed loss) / d outputs.
  [[nodiscard]] virtual torch::Tensor error(const torch::Tensor& outputs, const torch::Tensor& targets) const = 0;
  /// A vector u for each row, drawn such that E[u u^T] is the second derivative of the row's loss with respect to its
  /// outputs, from as many numbers in [0, 1).
  [[nodiscard]] virtual torch::Tensor curvature_draw(const torch::Tensor& outputs,
                                                     const torch::Tensor& uniform) const = 0;
  /// Of the loss of one row (HeadData::curvature).
  [[nodiscard]] virtual double curvature(std::int64_t outputs) const = 0;
  [[nodiscard]] virtual bool is_quadratic() const = 0;
};

/// Cross-entropy of a softmax, against class indices; metrics "accuracy" and "loss" (nats) and, between them for
/// `characters`, "bits_per_character".
[[nodiscard]] std::shared_ptr<const Objective> make_cross_entropy(bool characters = false);
/// Squared error, the mean over the dimensions of an action; metric "loss".
[[nodiscard]] std::shared_ptr<const Objective> make_squared_error();
/// The same over those dimensions whose targets are numbers: bodies have actions of different sizes. It does not tell
/// its curvature, nor rows to fit a map to.
[[nodiscard]] std::shared_ptr<const Objective> make_masked_squared_error();

/// What a network's outputs cost.
using Loss = std::function<torch::Tensor(const torch::Tensor& outputs)>;
/// The loss of `network` at `parameters` on one batch and its gradient in `slopes`, like them in the layout's order
/// (overwritten; zero for running statistics in a training pass). All at one place, where the loss remains.
[[nodiscard]] torch::Tensor backpropagate(const Network& network, const Loss& loss,
                                          const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                                          Pass& pass, const std::vector<torch::Tensor>& slopes);
/// The same of the mean loss that `objective` has.
[[nodiscard]] torch::Tensor backpropagate(const Network& network, const Objective& objective,
                                          const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                                          const torch::Tensor& targets, Pass& pass,
                                          const std::vector<torch::Tensor>& slopes);

}  // namespace fleet
