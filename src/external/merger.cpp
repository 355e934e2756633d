#include "external/merger.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "external/conversation.hpp"
#include "external/options.hpp"
#include "io/network_file.hpp"

namespace fleet {
namespace {

constexpr std::string_view kTable = "merge.external";

class ExternalMerger final : public Merger {
 public:
  explicit ExternalMerger(ExternalOptions options) : options_(std::move(options)) {}

  MergerNeeds needs() const override { return {.exchange = Exchange::kAllModels, .whole = true}; }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    std::vector<float> mine;
    std::vector<double> samples;
    for (const MergeRow& row : input.rows) {
      if (!row.participates) continue;
      mine.insert(mine.end(), row.weights->flat().begin(), row.weights->flat().end());
      samples.push_back(row.samples);
    }
    const std::vector<float> all = comm.gather(mine);
    samples = comm.all_gather(samples);
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    comm.together([&] {
      if (comm.is_root()) ask(input, all, samples, outcome);
    });
    comm.broadcast(outcome.merged.flat());
    outcome.iterations = 1;
    return outcome;
  }

 private:
  void ask(const MergeInput& input, std::span<const float> all, const std::vector<double>& samples,
           MergeOutcome& outcome) {
    const std::size_t size = input.symmetry->layout()->size();
    if (!talk_ || !talk_->is_open()) {
      talk_.emplace(options_.child, options_.time_limit);
      talk_->ask(
          "open_method",
          {{"settings", options_.settings},
           {"network", Json::parse(network_json({*input.symmetry, {input.maps.begin(), input.maps.end()}, {}}))}});
    }
    const Place models(talk_->memory(), all.size() * sizeof(float));
    const Place into(talk_->memory(), size * sizeof(float));
    std::optional<Place> previous;
    if (input.previous != nullptr) {
      previous.emplace(talk_->memory(), size * sizeof(float));
      std::ranges::copy(input.previous->flat(), previous->values<float>(size).begin());
    }
    std::ranges::copy(all, models.values<float>(all.size()).begin());
    Json fields = {{"models", models.offset()}, {"robots", input.participants}, {"samples", samples},
                   {"round", input.round},      {"seed", input.seed},           {"into", into.offset()}};
    if (previous) fields["previous"] = previous->offset();
    talk_->ask("merge", std::move(fields));
    const std::span<const float> merged = into.values<float>(size);
    const Eigen::Map<const Eigen::VectorXf> values(merged.data(), static_cast<Eigen::Index>(size));
    require(values.allFinite(), talk_->name(), ": the merged weights are not finite");
    std::ranges::copy(merged, outcome.merged.flat().begin());
  }

  ExternalOptions options_;
  std::optional<Conversation> talk_;  // at the root
};

std::unique_ptr<Merger> make_external_merger(SettingsReader& settings) {
  return std::make_unique<ExternalMerger>(read_external_options(settings, kTable));
}

std::string look_at_external(SettingsReader& settings) {
  const ExternalOptions options = read_external_options(settings, kTable);
  require_command(options, settings, kTable);
  return asking(settings, kTable, [&] {
    Conversation talk(options.child, options.time_limit);
    const Answer answer = talk.ask("describe_method", {{"settings", options.settings}});
    accept_settings(settings, kTable, answer.has("settings") ? answer.at("settings") : Json());
    return answer.has("identity") ? answer.text("identity") : std::string();
  });
}

}  // namespace

MergerEntry external_method() {
  return {.name = "external",
          .summary = "a method of your own: a program that gets all weights and answers with one vector",
          .regime = Regime::kMerge,
          .make = make_external_merger,
          .look = look_at_external};
}

}  // namespace fleet
