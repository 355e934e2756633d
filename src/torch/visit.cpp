#include "torch/visit.hpp"

#include "merge/quadratic_head.hpp"

namespace fleet {
namespace {

/// What enters a map while samples are visited, sequences with their state.
class MapInputs {
 public:
  MapInputs(const Network& network, const ParamVector& weights, std::size_t map, const Place& place)
      : network_(network), place_(place), parameters_(place.bring(weights)), map_(map) {}

  /// Rows x inputs of the map as its matrix multiplies them: with a one for the constant. In the host's memory.
  torch::Tensor of(const Samples& samples, bool first) {
    const torch::Tensor& inputs = samples.inputs();
    if (first) state_.clear();
    keep_lanes(state_, inputs.size(0));
    Pass pass{.state = &state_, .steps = samples.steps(), .stop_before = map_};
    (void)network_.forward(parameters_.tensors, inputs, pass);
    if (!network_.maps()[map_].has_constant()) return place_.fetch(pass.entering.contiguous());
    const torch::Tensor ones = torch::ones({pass.entering.size(0), 1}, pass.entering.options());
    return place_.fetch(torch::cat({pass.entering, ones}, 1));
  }

 private:
  const Network& network_;
  const Place& place_;
  PlacedVector parameters_;
  std::size_t map_;
  std::vector<torch::Tensor> state_;
};

MatrixView matrix_of(const torch::Tensor& contiguous) {
  return {contiguous.data_ptr<float>(), contiguous.size(0), contiguous.size(1)};
}

torch::Tensor view_of(const RowMatrix& matrix) {
  // from_blob() has no const form; nothing writes through this view.
  return torch::from_blob(const_cast<float*>(matrix.data()), {matrix.rows(), matrix.cols()},  // NOLINT
                          torch::kFloat32);
}

/// MapMoments of rows that come part by part.
class MapMomentsSum {
 public:
  MapMomentsSum(Eigen::Index inputs, Eigen::Index outputs)
      : sum_{DoubleMatrix::Zero(inputs, inputs), DoubleMatrix::Zero(outputs, inputs)} {}

  void add(const Eigen::Ref<const RowMatrix>& inputs) {
    rows_ = inputs.cast<double>();
    sum_.inputs.selfadjointView<Eigen::Lower>().rankUpdate(rows_.transpose());
    sum_.samples += static_cast<double>(inputs.rows());
  }
  void add(const Eigen::Ref<const RowMatrix>& inputs, const Eigen::Ref<const RowMatrix>& targets) {
    add(inputs);
    sum_.targets.noalias() += DoubleMatrix(targets.cast<double>()).transpose() * rows_;
  }

  /// What they come to if every row stands for `weight` of them.
  [[nodiscard]] MapMoments scaled(double weight) const {
    MapMoments moments{weight * sum_.inputs, weight * sum_.targets, weight * sum_.samples};
    moments.inputs.triangularView<Eigen::StrictlyUpper>() = moments.inputs.transpose();
    return moments;
  }

 private:
  MapMoments sum_;  // of the inputs the lower half
  DoubleMatrix rows_;
};

/// A linear head on features that stay fixed.
class FixedFeatures final : public HeadData {
 public:
  FixedFeatures(std::shared_ptr<const Objective> objective, torch::Tensor features, torch::Tensor targets,
                double weight, std::int64_t outputs)
      : objective_(std::move(objective)),
        features_(std::move(features)),
        targets_(std::move(targets)),
        weight_(weight),
        outputs_(outputs) {}

  MapMoments moments() const override {
    const torch::NoGradGuard no_grad;
    MapMomentsSum sum(features_.size(1), outputs_);
    for (std::int64_t begin = 0; begin < features_.size(0); begin += kAtOnce) {
      const std::int64_t rows = std::min(kAtOnce, features_.size(0) - begin);
      const torch::Tensor wanted = objective_->rows(targets_.narrow(0, begin, rows), outputs_).contiguous();
      sum.add(matrix_of(features_.narrow(0, begin, rows)), matrix_of(wanted));
    }
    return sum.scaled(weight_);
  }

  void change_basis(const Eigen::MatrixXd& lower) override {
    for (std::int64_t begin = 0; begin < features_.size(0); begin += kAtOnce) {
      MatrixView rows = matrix_of(features_.narrow(0, begin, std::min(kAtOnce, features_.size(0) - begin)));
      const Eigen::MatrixXd columns = rows.transpose().cast<double>();
      rows = lower.triangularView<Eigen::Lower>().solve(columns).transpose().cast<float>();
    }
  }

  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    const torch::NoGradGuard no_grad;
    const torch::Tensor error = objective_->error(features_.matmul(view_of(head).t()), targets_);
    view_of(gradient).add_(error.t().matmul(features_), weight_);
  }
  double curvature() const override { return objective_->curvature(outputs_); }

 private:
  static constexpr std::int64_t kAtOnce = 1024;  // rows in double precision

  std::shared_ptr<const Objective> objective_;
  torch::Tensor features_;  // rows x inputs of the head
  torch::Tensor targets_;
  double weight_;  // samples that each row stands for
  std::int64_t outputs_;
};

/// Samples that each visited one stands for.
double share_of(std::size_t samples, double visited) {
  return visited > 0.0 ? static_cast<double>(samples) / visited : 1.0;
}

}  // namespace

void keep_lanes(std::vector<torch::Tensor>& state, std::int64_t lanes) {
  for (torch::Tensor& tensor : state) {
    if (tensor.size(0) != lanes) tensor = tensor.narrow(0, 0, lanes);
  }
}

VisitPlan visit_plan(const Network& network, bool carry_state, const Place& place) {
  return {.at_once = network.samples_at_once(), .run = carry_state ? kCarriedWindows : 1, .place = place};
}

void visit_samples(std::span<const std::int32_t> samples, Samples& source, const VisitPlan& plan,
                   const std::function<void(bool first)>& visit) {
  std::vector<std::int32_t> kept;
  for (std::size_t begin = plan.first * plan.run; begin < samples.size(); begin += plan.run * plan.every) {
    const auto run = samples.subspan(begin, std::min(plan.run, samples.size() - begin));
    kept.insert(kept.end(), run.begin(), run.end());
  }
  const std::size_t lanes = std::max<std::size_t>(1, static_cast<std::size_t>(plan.at_once) / plan.run);
  std::vector<std::int32_t> picked;
  for (std::size_t begin = 0; begin < kept.size(); begin += lanes * plan.run) {
    const auto group =
        std::span<const std::int32_t>(kept).subspan(begin, std::min(lanes * plan.run, kept.size() - begin));
    const std::size_t length = std::min(plan.run, group.size());
    const Lanes order(group.size(), (group.size() + length - 1) / length);
    for (std::size_t p = 0; p < order.length; ++p) {
      order.pick(group, p, picked);
      source.load(picked);
      visit(p == 0);
    }
  }
}

std::vector<Score> score_samples(const Network& network, const Objective& objective, const ParamVector& weights,
                                 std::span<const std::int32_t> samples, Samples& source, const VisitPlan& plan) {
  const torch::NoGradGuard no_grad;
  const PlacedVector parameters = plan.place.bring(weights);
  std::vector<Score> total(objective.metrics().size());
  std::vector<torch::Tensor> state;
  visit_samples(samples, source, plan, [&](bool first) {
    if (first) state.clear();
    keep_lanes(state, source.inputs().size(0));
    Pass pass{.state = &state, .steps = source.steps()};
    const std::vector<Score> scores =
        objective.scores(network.forward(parameters.tensors, source.inputs(), pass), source.targets());
    for (std::size_t i = 0; i < total.size(); ++i) {
      total[i].sum += scores[i].sum;
      total[i].samples += scores[i].samples;
    }
  });
  return total;
}

MapMoments gather_moments(const Network& network, const ParamVector& features, const ParamVector& targets,
                          std::size_t map, std::span<const std::int32_t> samples, Samples& source,
                          const VisitPlan& plan) {
  const torch::NoGradGuard no_grad;
  const AffineMap& layer = network.maps()[map];
  const Eigen::Index inputs = layer.inputs(features.layout());
  const Eigen::Index outputs = layer.outputs(features.layout());
  MapMomentsSum sum(inputs, outputs);
  double visited = 0.0;
  MapInputs feature_inputs(network, features, map, plan.place);
  MapInputs target_inputs(network, targets, map, plan.place);
  const RowMatrix target_map = layer.matrix(targets);
  const bool same = &targets == &features;
  visit_samples(samples, source, plan, [&](bool first) {
    const torch::Tensor x = feature_inputs.of(source, first);
    if (same) {
      sum.add(matrix_of(x));
    } else {
      const RowMatrix leaving = matrix_of(target_inputs.of(source, first)) * target_map.transpose();
      sum.add(matrix_of(x), leaving);
    }
    visited += static_cast<double>(source.loaded());
  });
  MapMoments moments = sum.scaled(share_of(samples.size(), visited));
  if (same) moments.targets = target_map.cast<double>() * moments.inputs;
  return moments;
}

OutputSums gather_outputs(const Network& network, const ParamVector& at, std::size_t map,
                          std::span<const std::int32_t> samples, Samples& source, const VisitPlan& plan) {
  const torch::NoGradGuard no_grad;
  const AffineMap& layer = network.maps()[map];
  OutputSums total{Eigen::VectorXd::Zero(layer.outputs(at.layout())),
                   Eigen::VectorXd::Zero(layer.outputs(at.layout()))};
  double visited = 0.0;
  MapInputs inputs(network, at, map, plan.place);
  const RowMatrix matrix = layer.plain_matrix(at);
  RowMatrix leaving;
  visit_samples(samples, source, plan, [&](bool first) {
    leaving.noalias() = matrix_of(inputs.of(source, first)) * matrix.transpose();
    total.sum += leaving.cast<double>().colwise().sum().transpose();
    total.squares += leaving.cast<double>().colwise().squaredNorm().transpose();
    total.rows += static_cast<double>(leaving.rows());
    visited += static_cast<double>(source.loaded());
  });
  const double share = share_of(samples.size(), visited);
  return {share * total.sum, share * total.squares, share * total.rows};
}

std::unique_ptr<HeadData> gather_head(const Network& network, std::shared_ptr<const Objective> objective,
                                      const ParamVector& body, std::span<const std::int32_t> samples, Samples& source,
                                      const VisitPlan& plan) {
  const torch::NoGradGuard no_grad;
  const std::size_t last = network.maps().size() - 1;
  const std::int64_t outputs = network.maps()[last].outputs(body.layout());
  MapMomentsSum sum(network.maps()[last].inputs(body.layout()), outputs);
  std::vector<torch::Tensor> features;  // where their moments do not do
  std::vector<torch::Tensor> targets;
  double visited = 0.0;
  MapInputs inputs(network, body, last, plan.place);
  visit_samples(samples, source, plan, [&](bool first) {
    const torch::Tensor x = inputs.of(source, first);
    const torch::Tensor wanted = plan.place.fetch(source.targets());
    if (objective->is_quadratic()) {
      sum.add(matrix_of(x), matrix_of(objective->rows(wanted, outputs).contiguous()));
    } else {
      features.push_back(x);
      targets.push_back(wanted.clone());
    }
    visited += static_cast<double>(source.loaded());
  });
  const double share = share_of(samples.size(), visited);
  if (objective->is_quadratic()) {
    return std::make_unique<QuadraticHead>(sum.scaled(share), objective->curvature(outputs));
  }
  return std::make_unique<FixedFeatures>(std::move(objective), torch::cat(features), torch::cat(targets), share,
                                         outputs);
}

}  // namespace fleet
