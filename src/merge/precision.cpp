#include "merge/precision.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/bfloat16.hpp"
#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, Precision>, 3> kPrecisions{
    {{"float32", Precision::kFloat32}, {"bfloat16", Precision::kBfloat16}, {"int8", Precision::kInt8}}};

std::size_t rows_of(const TensorSpec& tensor) {
  return tensor.shape.size() > 1 ? static_cast<std::size_t>(tensor.shape.front()) : 1;
}

/// Of each tensor, whether its numbers are sent in fewer bits.
std::vector<bool> rounded_tensors(Precision precision, const ParamLayout& layout, std::span<const AffineMap> maps) {
  std::vector<bool> rounded(layout.tensors().size(), precision != Precision::kFloat32);
  for (const AffineMap& map : maps) {
    if (map.norm) rounded[map.norm->mean] = rounded[map.norm->variance] = false;
  }
  return rounded;
}

void round_row(std::span<float> row) {
  constexpr float kSteps = 127.0F;
  float largest = 0.0F;
  for (const float number : row) largest = std::max(largest, std::abs(number));
  const float scale = largest / kSteps;
  if (scale == 0.0F) {
    std::ranges::fill(row, 0.0F);
    return;
  }
  for (float& number : row) number = scale * std::nearbyint(number / scale);
}

class WithPrecision final : public Merger {
 public:
  WithPrecision(std::unique_ptr<Merger> method, Precision precision)
      : method_(std::move(method)), precision_(precision) {}

  MergerNeeds needs() const override {
    MergerNeeds needs = method_->needs();
    needs.center = true;
    return needs;
  }
  bool renews_norms() const override { return method_->renews_norms(); }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    Sent sent = send(input, comm);
    MergeOutcome outcome = method_->merge(sent.input, comm);
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      if (!sent.lost[i]) continue;
      ParamVector& lost = *sent.lost[i];
      if (!outcome.elements.empty()) lost = input.symmetry->apply(outcome.elements[i], lost);
      lost_[input.rows[i].robot].assign(lost.flat().begin(), lost.flat().end());
    }
    return outcome;
  }
  MergeOutcome propose(const MergeInput& input, const Comm& comm) override {
    return method_->propose(send(input, comm).input, comm);
  }
  void remember(const MergeInput& input, const ParamVector& consensus, const Comm& comm) override {
    method_->remember(input, consensus, comm);
  }

  std::unique_ptr<GradientTerm> local_term(int robot, const ParamVector* consensus) const override {
    return method_->local_term(robot, consensus);
  }
  void save(int robot, StateWriter& state) const override {
    method_->save(robot, state);
    if (robot == kWholeFleet) return;
    const auto own = lost_.find(robot);
    state.write_all(own == lost_.end() ? std::span<const float>() : std::span(own->second));
  }
  void load(int robot, StateReader& state) override {
    method_->load(robot, state);
    if (robot == kWholeFleet) return;
    std::vector<float> lost = state.read_all<float>();
    if (!lost.empty()) lost_.insert_or_assign(robot, std::move(lost));
  }

 private:
  /// A merge's input as it arrives, and what was lost on the way: of rows that participate.
  struct Sent {
    MergeInput input;
    std::vector<std::optional<ParamVector>> arrived;
    std::vector<std::optional<ParamVector>> lost;
  };

  Sent send(const MergeInput& input, const Comm& comm) const {
    Sent sent{.input = input, .arrived = {}, .lost = {}};
    sent.input.precision = precision_;
    sent.arrived.resize(input.rows.size());
    sent.lost.resize(input.rows.size());
    comm.together([&] {
      require(input.center != nullptr, "nothing is known that robots' weights could differ from");
      for (std::size_t i = 0; i < input.rows.size(); ++i) {
        if (!input.rows[i].participates) continue;
        sent.lost[i] = update(input.rows[i], *input.center);
        sent.arrived[i] = *sent.lost[i];
        ParamVector& arrived = *sent.arrived[i];
        round_weights(precision_, arrived.layout(), input.maps, arrived.flat());
        for (std::size_t w = 0; w < arrived.flat().size(); ++w) {
          sent.lost[i]->flat()[w] -= arrived.flat()[w];
          arrived.flat()[w] += input.center->flat()[w];
        }
        sent.input.rows[i].weights = &arrived;
      }
    });
    return sent;
  }

  /// What a robot wants to send.
  [[nodiscard]] ParamVector update(const MergeRow& row, const ParamVector& center) const {
    ParamVector update = *row.weights;
    const auto owed = lost_.find(row.robot);
    for (std::size_t w = 0; w < update.flat().size(); ++w) {
      update.flat()[w] -= center.flat()[w];
      if (owed != lost_.end()) update.flat()[w] += owed->second[w];
    }
    return update;
  }

  std::unique_ptr<Merger> method_;
  Precision precision_;
  std::map<int, std::vector<float>> lost_;  // of this rank's robots, in the basis that they are in
};

}  // namespace

Precision read_precision(SettingsReader& settings) {
  Precision precision = Precision::kFloat32;
  settings.read("merge.precision", precision, Names<Precision>(kPrecisions),
                "In what numbers robots send by how much their weights differ from what all know.");
  return precision;
}

std::uint64_t weight_bytes(Precision precision, const ParamLayout& layout, std::span<const AffineMap> maps) {
  const std::vector<bool> rounded = rounded_tensors(precision, layout, maps);
  std::uint64_t bytes = 0;
  for (std::size_t t = 0; t < rounded.size(); ++t) {
    const TensorSpec& tensor = layout.tensors()[t];
    if (!rounded[t]) {
      bytes += sizeof(float) * tensor.size;
    } else if (precision == Precision::kBfloat16) {
      bytes += sizeof(std::uint16_t) * tensor.size;
    } else {
      bytes += tensor.size + sizeof(float) * rows_of(tensor);
    }
  }
  return bytes;
}

void round_weights(Precision precision, const ParamLayout& layout, std::span<const AffineMap> maps,
                   std::span<float> weights) {
  const std::vector<bool> rounded = rounded_tensors(precision, layout, maps);
  for (std::size_t t = 0; t < rounded.size(); ++t) {
    const TensorSpec& tensor = layout.tensors()[t];
    const std::span<float> own = weights.subspan(tensor.offset, tensor.size);
    if (!rounded[t]) continue;
    if (precision == Precision::kBfloat16) {
      for (float& weight : own) weight = from_bfloat16(to_bfloat16(weight));
      continue;
    }
    const std::size_t columns = tensor.size / rows_of(tensor);
    for (std::size_t begin = 0; begin < own.size(); begin += columns) round_row(own.subspan(begin, columns));
  }
}

std::unique_ptr<Merger> with_precision(std::unique_ptr<Merger> method, Precision precision) {
  return std::make_unique<WithPrecision>(std::move(method), precision);
}

}  // namespace fleet
