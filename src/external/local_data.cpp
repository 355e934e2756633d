#include "external/local_data.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "base/error.hpp"
#include "merge/fleet_moments.hpp"
#include "model/optimizer.hpp"

namespace fleet {
namespace {

constexpr std::uint64_t kDraws = std::uint64_t{1} << 53U;  // integers that JSON has exactly

template <class T>
void require_finite(std::span<const T> values, std::string_view whose, std::string_view what) {
  const Eigen::Map<const Eigen::Vector<T, Eigen::Dynamic>> all(values.data(), static_cast<Eigen::Index>(values.size()));
  require(all.allFinite(), whose, ": ", what, " is not finite");
}

std::size_t size_of(Eigen::Index rows, Eigen::Index columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

/// Copied from where the other process has written it.
DoubleMatrix read_matrix(const Place& place, Eigen::Index rows, Eigen::Index columns, std::string_view whose,
                         std::string_view what) {
  const std::span<const double> values = place.values<double>(size_of(rows, columns));
  require_finite(values, whose, what);
  return Eigen::Map<const DoubleMatrix>(values.data(), rows, columns);
}

/// How many samples a sum is over, as an answer says.
double samples_of(const Answer& answer) {
  const double samples = answer.number("samples");
  if (!(samples >= 0.0)) answer.reject("\"samples\" is no number of samples");
  return samples;
}

/// A square matrix of second moments and one of `outputs` rows, where the other process is to write them.
class MomentsPlace {
 public:
  MomentsPlace(SharedMemory& memory, Eigen::Index outputs, Eigen::Index inputs)
      : outputs_(outputs),
        inputs_(inputs),
        squares_(memory, size_of(inputs, inputs) * sizeof(double)),
        products_(memory, size_of(outputs, inputs) * sizeof(double)) {}

  void tell(Json& fields) const {
    fields["inputs"] = squares_.offset();
    fields["targets"] = products_.offset();
  }
  [[nodiscard]] MapMoments read(const Answer& answer, const std::string& whose) const {
    constexpr std::string_view kWhat = "a second moment of what enters a layer";
    const double samples = samples_of(answer);
    return {read_matrix(squares_, inputs_, inputs_, whose, kWhat),
            read_matrix(products_, outputs_, inputs_, whose, kWhat), samples};
  }

 private:
  Eigen::Index outputs_;
  Eigen::Index inputs_;
  Place squares_;
  Place products_;
};

class ExternalHead final : public HeadData {
 public:
  ExternalHead(const ExternalCell& cell, std::int64_t robot, std::string name, const ParamVector& body)
      : cell_(cell), name_(std::move(name)), handle_(cell.talk->new_handle()) {
    const AffineMap& last = cell.maps.back();
    outputs_ = last.outputs(*cell.symmetry->layout());
    inputs_ = last.inputs(*cell.symmetry->layout());
    const SentWeights sent(cell, body);
    const Answer answer = ask("head", {{"robot", robot}, {"at", sent.offset()}});
    curvature_ = answer.number("curvature");
    if (!(curvature_ > 0.0)) answer.reject("\"curvature\" is not above 0");
  }
  ~ExternalHead() override {
    try {
      if (cell_.talk->is_open()) ask("forget_head", {});
    } catch (const Error&) {  // what comes next will tell
    }
  }

  MapMoments moments() const override {
    const MomentsPlace places(cell_.talk->memory(), outputs_, inputs_);
    Json fields;
    places.tell(fields);
    return places.read(ask("head_moments", std::move(fields)), name_);
  }
  void change_basis(const Eigen::MatrixXd& lower) override {
    const Place place(cell_.talk->memory(), static_cast<std::size_t>(inputs_ * inputs_) * sizeof(double));
    Eigen::Map<DoubleMatrix>(place.values<double>(static_cast<std::size_t>(inputs_ * inputs_)).data(), inputs_,
                             inputs_) = lower.triangularView<Eigen::Lower>().toDenseMatrix();
    ask("head_basis", {{"lower", place.offset()}});
  }
  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    const auto size = static_cast<std::size_t>(outputs_ * inputs_);
    const Place to(cell_.talk->memory(), size * sizeof(float));
    const Place from(cell_.talk->memory(), size * sizeof(float));
    MatrixView(to.values<float>(size).data(), outputs_, inputs_) = head;
    ask("head_gradient", {{"at", to.offset()}, {"into", from.offset()}});
    const std::span<const float> slopes = from.values<float>(size);
    require_finite(slopes, name_, "the gradient of the loss in the last layer");
    gradient += ConstMatrixView(slopes.data(), outputs_, inputs_);
  }
  double curvature() const override { return curvature_; }

 private:
  Answer ask(std::string_view call, Json fields) const {
    fields["head"] = handle_;
    return cell_.ask(call, std::move(fields));
  }

  const ExternalCell& cell_;
  std::string name_;
  std::int64_t handle_;
  Eigen::Index outputs_ = 0;
  Eigen::Index inputs_ = 0;
  double curvature_ = 0.0;
};

}  // namespace

Answer ExternalCell::ask(std::string_view call, Json fields) const {
  fields["cell"] = number;
  return talk->ask(call, std::move(fields));
}

SentWeights::SentWeights(const ExternalCell& cell, const ParamVector& weights)
    : place_(cell.talk->memory(), cell.bytes()) {
  const std::span<const float> flat = weights.flat();
  std::copy(flat.begin(), flat.end(), place_.values<float>(flat.size()).begin());
}

double ExternalData::loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) {
  const SentWeights sent(cell_, at);
  const Place into(cell_.talk->memory(), cell_.bytes());
  const Answer answer = cell_.ask("loss_gradient", {{"robot", handle_},
                                                    {"at", sent.offset()},
                                                    {"batch", batch},
                                                    {"draw", stream.below(kDraws)},
                                                    {"into", into.offset()}});
  const double loss = answer.number("loss");
  require(std::isfinite(loss), name_, ": the loss is not finite");
  const std::span<const float> slopes = into.values<float>(gradient.flat().size());
  require_finite(slopes, name_, "the gradient of the loss");
  std::copy(slopes.begin(), slopes.end(), gradient.flat().begin());
  return loss;
}

Score ExternalData::score(std::string_view call, const ParamVector& at, Json fields) const {
  const SentWeights sent(cell_, at);
  fields["robot"] = handle_;
  fields["at"] = sent.offset();
  const Answer answer = cell_.ask(call, std::move(fields));
  const Score score{.sum = answer.number("sum"), .samples = answer.number("samples")};
  require(std::isfinite(score.sum) && score.samples >= 0.0, name_, ": what \"", call, "\" comes to is not finite");
  return score;
}

MapMoments ExternalData::map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) {
  const AffineMap& layer = cell_.maps[map];
  const ParamLayout& layout = *cell_.symmetry->layout();
  const SentWeights sent(cell_, features);
  std::optional<SentWeights> others;
  if (&targets != &features) others.emplace(cell_, targets);
  const MomentsPlace places(cell_.talk->memory(), layer.outputs(layout), layer.inputs(layout));
  Json fields = {{"robot", handle_},
                 {"map", map},
                 {"features", sent.offset()},
                 {"outputs", others ? others->offset() : sent.offset()}};
  places.tell(fields);
  return places.read(cell_.ask("map_moments", std::move(fields)), name_);
}

OutputSums ExternalData::output_sums(const ParamVector& at, std::size_t map) {
  return outputs_behind(map_moments(at, at, map).inputs, cell_.maps[map], at);
}

std::unique_ptr<HeadData> ExternalData::head_data(const ParamVector& body) {
  return std::make_unique<ExternalHead>(cell_, handle_, name_, body);
}

Score ExternalData::trials(const ParamVector& at, int episodes, std::uint64_t draw) {
  return score("trials", at, {{"episodes", episodes}, {"draw", draw % kDraws}});
}

ParamVector ExternalData::take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                                     const GradientTerm* term) {
  RandomStream stream(cell_.seed, Purpose::kLocalSteps, static_cast<std::uint64_t>(index_), draw);
  ParamVector weights = start;
  ParamVector gradient(start.shared_layout());
  Optimizer optimizer({.learning_rate = steps.learning_rate}, weights.flat().size());
  for (std::int64_t step = 0; step < steps.steps; ++step) {
    loss_gradient(weights, cell_.batch, stream, gradient);
    if (term != nullptr) term->add_to(weights, gradient);
    optimizer.step(weights.flat(), gradient.flat(), steps.factor(step));
  }
  return weights;
}

Curvature ExternalData::curvature(const ParamVector& at, std::uint64_t draw) {
  const ParamLayout& layout = *cell_.symmetry->layout();
  const SentWeights sent(cell_, at);
  const Place slopes(cell_.talk->memory(), cell_.bytes());
  std::deque<Place> outputs;
  Json offsets = Json::array();
  for (const AffineMap& map : cell_.maps) {
    const Eigen::Index size = map.outputs(layout);
    offsets.push_back(outputs.emplace_back(cell_.talk->memory(), size_of(size, size) * sizeof(double)).offset());
  }
  const Answer answer = cell_.ask("curvature", {{"robot", handle_},
                                                {"at", sent.offset()},
                                                {"draw", draw % kDraws},
                                                {"gradient", slopes.offset()},
                                                {"outputs", std::move(offsets)}});
  Curvature curvature{.gradient = ParamVector(at.shared_layout()), .maps = {}, .samples = samples_of(answer)};
  const std::span<const float> gradient = slopes.values<float>(curvature.gradient.flat().size());
  require_finite(gradient, name_, "the gradient of the loss");
  std::ranges::copy(gradient, curvature.gradient.flat().begin());
  for (std::size_t m = 0; m < cell_.maps.size(); ++m) {
    const Eigen::Index size = cell_.maps[m].outputs(layout);
    MapMoments entering = map_moments(at, at, m);
    curvature.maps.push_back({.inputs = std::move(entering.inputs),
                              .outputs = read_matrix(outputs[m], size, size, name_, "the curvature of a layer"),
                              .rows = entering.samples});
  }
  return curvature;
}

}  // namespace fleet
