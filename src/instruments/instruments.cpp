#include "instruments/instruments.hpp"

#include <iterator>

#include "instruments/alignment_summary.hpp"
#include "instruments/finetune.hpp"
#include "instruments/interpolation.hpp"
#include "instruments/norms.hpp"
#include "instruments/personal.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, InstrumentOptions::Rounds>, 2> kRounds{
    {{"last", InstrumentOptions::Rounds::kLast}, {"every", InstrumentOptions::Rounds::kEvery}}};

}  // namespace

InstrumentOptions read_instrument_options(SettingsReader& settings) {
  InstrumentOptions options;
  settings.read("instruments.interpolation", options.interpolation,
                "Whether losses on the lines between every two robots are measured.");
  settings.read("instruments.points", options.points, between(2, 10'000), "Points of such a line, its ends included.");
  settings.read("instruments.norms", options.norms, "Whether norms of every tensor of every robot are measured.");
  settings.read("instruments.alignment", options.alignment,
                "Whether distances to the reference and the course of the alignment are measured.");
  settings.read("instruments.finetune_steps", options.finetune_steps, between(0, 1e6),
                "Steps for which the last merged policy is finetuned on held-out data; 0: not at all.");
  settings.read("instruments.finetune_every", options.finetune_every, between(1, 1e6),
                "Steps of finetuning between tests.");
  settings.read("instruments.personal_steps", options.personal_steps, between(0, 1e6),
                "Steps that every robot takes after the last merge, on what it keeps to itself; 0: none.");
  settings.read("instruments.personal_every", options.personal_every, between(1, 1e6),
                "Steps of a robot by itself between tests.");
  settings.read("instruments.rounds", options.rounds, Names<InstrumentOptions::Rounds>(kRounds),
                "Rounds in which interpolation, norms and alignment are measured.");
  return options;
}

std::vector<Measurement> Instruments::observe(const RoundView& view, const Comm& comm) {
  std::vector<Measurement> measured;
  const auto use = [&](std::vector<Measurement> more) {
    std::move(more.begin(), more.end(), std::back_inserter(measured));
  };
  const bool looks = view.last || options_.rounds == InstrumentOptions::Rounds::kEvery;
  const ParamVector* merged = view.outcome != nullptr ? &view.outcome->merged : nullptr;
  if (looks && options_.interpolation) use(interpolate_pairs(view, comm));
  if (looks && options_.norms) use(weight_norms(view.robots, merged, comm));
  if (looks && options_.alignment && merged != nullptr) use(alignment_summary(view.robots, *view.outcome, comm));
  if (view.last && options_.finetune_steps > 0 && merged != nullptr) {
    const auto finetune = [&](const ParamVector* start, const char* subject) {
      use(finetune_curve(workload_, start, options_.finetune_steps, options_.finetune_every, subject, comm));
    };
    finetune(merged, "merged");
    finetune(nullptr, "from scratch");
  }
  if (view.last && options_.personal_steps > 0 && merged != nullptr) {
    use(personal_curve(workload_, view, options_.personal_steps, options_.personal_every, comm));
  }
  return measured;
}

std::vector<Measurement> Instruments::interpolate_pairs(const RoundView& view, const Comm& comm) const {
  std::vector<PairAlignment> alignments = {PairAlignment::kNone, PairAlignment::kGitRebasin};
  std::span<const GroupElement> elements;
  if (view.outcome != nullptr) elements = view.outcome->elements;
  const bool aligned = comm.max(elements.empty() ? 0.0 : 1.0) > 0.0;  // a rank may carry no robot
  if (aligned) alignments.push_back(PairAlignment::kMethod);
  const Judge judge(workload_, view.robots, comm);
  return pairwise_barriers(view.robots, alignments, elements, options_.points, judge, comm);
}

}  // namespace fleet
