// A network of which robots share a part: that is merged, the rest stays each robot's own. Personal heads are what
// federated learning calls FedPer (Arivazhagan et al., 2019); of Decision Transformers for different bodies the
// attention and feed-forward maps are shared (Lawson and Qureshi, 2023).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merge/merger.hpp"

namespace fleet {

/// Whether `pattern` names the tensor called `name`: part by part between its dots, where * stands for any part, and
/// the name may go on. "blocks.*.in" names "blocks.0.in.weight".
[[nodiscard]] bool names_tensor(std::string_view pattern, std::string_view name);

/// Reads "merge.parameters": names separated by commas; none for "all".
[[nodiscard]] std::vector<std::string> read_parameters(SettingsReader& settings);

/// What a user names there, as patterns: each a pattern, or "all", "attention", "mlp" or "trunk". Behind a "!" is
/// what is left out; where there are only such, all else is meant.
[[nodiscard]] std::vector<std::string> parameter_patterns(std::span<const std::string> names);

/// Whether the patterns together mean the tensor called `name`.
[[nodiscard]] bool means_tensor(std::span<const std::string> patterns, std::string_view name);

/// What is wrong with such names for a network: one that names nothing, or together none; "" if nothing.
[[nodiscard]] std::string complaint_about_parameters(std::span<const std::string> names, const ParamLayout& layout);

/// What the tensors of one of a network's maps are called.
[[nodiscard]] std::vector<std::string> tensor_names(AffineMap map, const ParamLayout& layout);

/// Whether the patterns mean all tensors of one of the network's maps at least.
[[nodiscard]] bool names_whole_map(std::span<const std::string> patterns, const ParamLayout& layout,
                                   std::span<const AffineMap> maps);

class SharedPart {
 public:
  /// Of a network's tensors those that the patterns mean, at least one. `fixed`: units that other tensors know, too,
  /// are not permuted (MergerNeeds::between). Keeps a reference to `whole`.
  SharedPart(const SymmetrySpec& whole, std::span<const AffineMap> maps, std::span<const std::string> patterns,
             bool fixed = false);

  /// Of the shared tensors: what is left of each group that acts on any of them. A group that acts on others as well
  /// permutes those along, each robot its own.
  [[nodiscard]] const SymmetrySpec& symmetry() const { return *symmetry_; }
  /// The maps all of whose tensors are shared.
  [[nodiscard]] std::span<const AffineMap> maps() const { return maps_; }
  /// Whether the network's last map, whose outputs are the network's, is among them.
  [[nodiscard]] bool has_head() const { return has_head_; }
  /// Which of the network's maps shared map `map` is.
  [[nodiscard]] std::size_t whole_map(std::size_t map) const { return whole_maps_[map]; }
  [[nodiscard]] bool is_shared(std::size_t tensor) const { return shared_[tensor]; }

  /// The shared part of a network's weights, or of what is laid out like them.
  [[nodiscard]] ParamVector part_of(const ParamVector& whole) const;
  /// Writes it back; the rest of `whole` stays.
  void put(const ParamVector& part, ParamVector& whole) const;
  /// An element of the network's symmetry that acts on the shared part as `part` does.
  [[nodiscard]] GroupElement whole_element(const GroupElement& part) const;

  /// A merge of the shared parts as one of whole networks: the rest of what is merged is zero.
  [[nodiscard]] MergeOutcome whole_outcome(MergeOutcome part) const;
  /// What the robot of row `row`, of weights `own`, goes on with after such a merge: the merged shared part, and its
  /// own rest, brought along by its element if there is one.
  [[nodiscard]] ParamVector personal(const MergeOutcome& outcome, std::size_t row, const ParamVector& own) const;
  /// `term`, of the shared part alone, in training of the whole network. Keeps a reference to it.
  [[nodiscard]] std::unique_ptr<GradientTerm> whole_term(const GradientTerm& term) const;

 private:
  const SymmetrySpec& whole_;
  std::vector<bool> shared_;               // per tensor
  std::vector<std::size_t> tensors_;       // shared ones, ascending
  std::vector<std::size_t> whole_maps_;    // per shared map
  std::vector<std::size_t> whole_groups_;  // per group of the shared part
  std::optional<SymmetrySpec> symmetry_;
  std::vector<AffineMap> maps_;
  bool has_head_ = false;
};

/// The robots of a merge as mergers see them: their shared parts, and their data behind whole networks.
class SharedFleet {
 public:
  /// Keeps references, to the rows' weights as well.
  SharedFleet(const SharedPart& part, const MergeInput& whole);
  SharedFleet(const SharedFleet&) = delete;
  SharedFleet& operator=(const SharedFleet&) = delete;
  ~SharedFleet();
  [[nodiscard]] const MergeInput& input() const { return input_; }

 private:
  class Data;
  std::vector<ParamVector> weights_;  // per row, and the previous consensus and center
  std::vector<std::unique_ptr<Data>> data_;
  MergeInput input_;
};

}  // namespace fleet
