#include "sweep/methods.hpp"

#include <vector>

#include "base/error.hpp"
#include "external/merger.hpp"

namespace fleet {

std::span<const MergerEntry> method_table() {
  static const std::vector<MergerEntry> kMethods = [] {
    std::vector<MergerEntry> methods;
    for (const MergerEntry& entry : merger_table()) {
      // The reference lines, which merge nothing, come last.
      if (entry.regime == Regime::kLocal) methods.push_back(external_method());
      methods.push_back(entry);
    }
    return methods;
  }();
  return kMethods;
}

const MergerEntry& find_method(std::string_view name) {
  for (const MergerEntry& entry : method_table()) {
    if (entry.name == name) return entry;
  }
  throw Error(cat("no merging method is called ", name));
}

std::string obstacle(const CellFacts& facts, const MergerNeeds& needs, const std::string& workload) {
  const std::string policies = cat("the policies of workload \"", workload, '"');
  if (facts.symmetry < needs.symmetry) {
    return cat("this needs policies that any change of basis leaves unchanged, but the units of ", policies,
               " can only be permuted");
  }
  if (needs.layers && !facts.has_layers()) {
    return cat("this works layer by layer, but ", policies, " are no layered networks");
  }
  const Questions missing = needs.asks.without(facts.offers);
  if (missing.contains(Question::kSteps)) {
    return cat("rounds after the merge ask robots for short runs of training, which those of workload \"", workload,
               "\" do not take; merge.rounds_after = 0 merges once");
  }
  if (missing.contains(Question::kGradientTerm)) {
    return cat("this adds to the gradient that robots follow, but those of workload \"", workload,
               "\" follow that of their own loss alone");
  }
  if (missing.to_string().empty()) return {};
  return cat("this asks robots for ", missing.to_string(), ", which those of workload \"", workload,
             "\" do not answer");
}

}  // namespace fleet
