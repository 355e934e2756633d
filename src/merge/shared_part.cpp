#include "merge/shared_part.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "base/error.hpp"

namespace fleet {
namespace {

/// Patterns with a name of their own.
struct ParameterSet {
  std::string_view name;
  std::span<const std::string_view> patterns;
};
constexpr std::array<std::string_view, 1> kAll = {"*"};
constexpr std::array<std::string_view, 4> kAttention = {"blocks.*.attention.query", "blocks.*.attention.key",
                                                        "blocks.*.attention.value", "blocks.*.attention.out"};
constexpr std::array<std::string_view, 2> kFeedforward = {"blocks.*.in", "blocks.*.out"};
constexpr std::array<std::string_view, 1> kBlocks = {"blocks"};
constexpr std::array kSets = {ParameterSet{"all", kAll}, ParameterSet{"attention", kAttention},
                              ParameterSet{"mlp", kFeedforward}, ParameterSet{"trunk", kBlocks}};

/// Takes the part before the first dot off `text`.
std::string_view take_part(std::string_view& text) {
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(std::min(dot + 1, text.size()));
  return part;
}

/// What the tensors' names begin with, part by part, each once: what a pattern may be meant to be.
std::vector<std::string> beginnings(const ParamLayout& layout) {
  std::vector<std::string> all;
  for (const TensorSpec& tensor : layout.tensors()) {
    for (std::size_t dot = tensor.name.find('.'); dot != std::string::npos; dot = tensor.name.find('.', dot + 1)) {
      all.push_back(tensor.name.substr(0, dot));
    }
    all.push_back(tensor.name);
  }
  for (const ParameterSet& set : kSets) {
    const std::string name(set.name);
    const std::vector<std::string> patterns = parameter_patterns(std::span(&name, 1));
    const auto is_named = [&](const TensorSpec& tensor) { return means_tensor(patterns, tensor.name); };
    if (std::ranges::any_of(layout.tensors(), is_named)) all.push_back(name);
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool leaves_out(std::string_view pattern) {
  return pattern.starts_with('!');
}

/// Where a map names its tensors.
std::vector<std::size_t*> tensors_of(AffineMap& map) {
  std::vector<std::size_t*> tensors;
  for (std::size_t& tensor : map.weights) tensors.push_back(&tensor);
  if (map.bias) tensors.push_back(&*map.bias);
  if (map.norm) {
    for (std::size_t* tensor : {&map.norm->scale, &map.norm->shift, &map.norm->mean, &map.norm->variance}) {
      tensors.push_back(tensor);
    }
  }
  return tensors;
}

/// A term of the shared part, in training of the whole network.
class WholeTerm final : public GradientTerm {
 public:
  WholeTerm(const SharedPart& part, const GradientTerm& term) : part_(part), term_(term) {}
  void add_to(const ParamVector& at, ParamVector& gradient) const override {
    ParamVector sum = part_.part_of(gradient);
    term_.add_to(part_.part_of(at), sum);
    part_.put(sum, gradient);
  }

 private:
  const SharedPart& part_;
  const GradientTerm& term_;
};

}  // namespace

bool names_tensor(std::string_view pattern, std::string_view name) {
  while (!pattern.empty()) {
    if (name.empty()) return false;
    const std::string_view wanted = take_part(pattern);
    const std::string_view part = take_part(name);
    if (wanted != "*" && wanted != part) return false;
  }
  return true;
}

std::vector<std::string> read_parameters(SettingsReader& settings) {
  std::string text = "all";
  settings.read("merge.parameters", text,
                "Which of a network's tensors are merged, the rest being each robot's own: all, or names by commas.");
  std::vector<std::string> names;
  std::istringstream list(text);
  for (std::string name; std::getline(list, name, ',');) {
    std::erase(name, ' ');
    if (!name.empty()) names.push_back(name);
  }
  if (names.empty()) {
    reject("merge.parameters", settings.resolved().at("merge.parameters"),
           "expected \"all\", or names of tensors, such as \"attention, mlp\" or \"!head\"");
  }
  if (names == std::vector<std::string>{"all"}) names.clear();
  return names;
}

std::vector<std::string> parameter_patterns(std::span<const std::string> names) {
  std::vector<std::string> patterns;
  for (const std::string& name : names) {
    const std::string sign = leaves_out(name) ? "!" : "";
    const auto set = std::ranges::find(kSets, std::string_view(name).substr(sign.size()), &ParameterSet::name);
    if (set == kSets.end()) {
      patterns.push_back(name);
    } else {
      for (const std::string_view pattern : set->patterns) patterns.push_back(cat(sign, pattern));
    }
  }
  return patterns;
}

bool means_tensor(std::span<const std::string> patterns, std::string_view name) {
  bool meant = std::ranges::all_of(patterns, leaves_out);
  for (const std::string_view pattern : patterns) {
    if (!leaves_out(pattern)) {
      meant = meant || names_tensor(pattern, name);
    } else if (names_tensor(pattern.substr(1), name)) {
      return false;
    }
  }
  return meant;
}

std::string complaint_about_parameters(std::span<const std::string> names, const ParamLayout& layout) {
  for (const std::string& written : names) {
    const std::string name = written.substr(leaves_out(written) ? 1 : 0);
    const std::vector<std::string> patterns = parameter_patterns(std::span(&name, 1));
    const auto is_named = [&](const TensorSpec& tensor) { return means_tensor(patterns, tensor.name); };
    if (std::ranges::any_of(layout.tensors(), is_named)) continue;
    const std::vector<std::string> known = beginnings(layout);
    std::string text = cat("no tensor of the network is called \"", name, "\" or begins so; ");
    if (const std::optional<std::string> near = nearest(name, known)) return cat(text, "did you mean \"", *near, "\"?");
    text += "its tensors are";
    for (const TensorSpec& tensor : layout.tensors()) {
      constexpr std::size_t kEnough = 600;
      if (text.size() > kEnough) return text + " ...";
      text += cat(&tensor == &layout.tensors().front() ? " " : ", ", tensor.name);
    }
    return text;
  }
  const std::vector<std::string> all = parameter_patterns(names);
  const bool any =
      std::ranges::any_of(layout.tensors(), [&](const TensorSpec& tensor) { return means_tensor(all, tensor.name); });
  return any ? "" : "together these leave no tensor of the network to merge";
}

std::vector<std::string> tensor_names(AffineMap map, const ParamLayout& layout) {
  std::vector<std::string> names;
  for (const std::size_t* tensor : tensors_of(map)) names.push_back(layout.tensors()[*tensor].name);
  return names;
}

bool names_whole_map(std::span<const std::string> patterns, const ParamLayout& layout,
                     std::span<const AffineMap> maps) {
  return std::ranges::any_of(maps, [&](const AffineMap& map) {
    return std::ranges::all_of(tensor_names(map, layout),
                               [&](const std::string& name) { return means_tensor(patterns, name); });
  });
}

SharedPart::SharedPart(const SymmetrySpec& whole, std::span<const AffineMap> maps,
                       std::span<const std::string> patterns, bool fixed)
    : whole_(whole) {
  const std::vector<TensorSpec>& all = whole.layout()->tensors();
  const auto layout = std::make_shared<ParamLayout>();
  std::vector<std::size_t> places(all.size());  // of shared tensors, among them
  for (std::size_t t = 0; t < all.size(); ++t) {
    shared_.push_back(means_tensor(patterns, all[t].name));
    if (!shared_[t]) continue;
    places[t] = tensors_.size();
    tensors_.push_back(t);
    layout->add(all[t].name, all[t].shape);
  }
  require(!tensors_.empty(), "the patterns of what is merged name none of the network's tensors");

  std::map<std::size_t, std::size_t> places_of_groups;
  for (std::size_t g = 0; g < whole.groups().size(); ++g) {
    const auto acts_on = [&](bool shared) {
      return std::ranges::any_of(whole.actions(), [&](const SymmetryAction& action) {
        return action.group == g && shared_[action.tensor] == shared;
      });
    };
    if (!acts_on(true) || (fixed && acts_on(false))) continue;
    places_of_groups.emplace(g, whole_groups_.size());
    whole_groups_.push_back(g);
  }
  std::vector<SymmetryGroup> groups;
  for (const std::size_t g : whole_groups_) {
    SymmetryGroup& group = groups.emplace_back(whole.groups()[g]);
    const auto parent = group.parent ? places_of_groups.find(*group.parent) : places_of_groups.end();
    group.parent = parent != places_of_groups.end() ? std::optional(parent->second) : std::nullopt;
  }
  std::vector<SymmetryAction> actions;
  for (SymmetryAction action : whole.actions()) {
    if (!shared_[action.tensor] || !places_of_groups.contains(action.group)) continue;
    action.tensor = places[action.tensor];
    action.group = places_of_groups.at(action.group);
    actions.push_back(action);
  }
  symmetry_.emplace(layout, std::move(groups), std::move(actions));

  for (std::size_t m = 0; m < maps.size(); ++m) {
    AffineMap map = maps[m];
    const std::vector<std::size_t*> tensors = tensors_of(map);
    if (!std::ranges::all_of(tensors, [&](const std::size_t* tensor) { return shared_[*tensor]; })) continue;
    for (std::size_t* tensor : tensors) *tensor = places[*tensor];
    maps_.push_back(std::move(map));
    whole_maps_.push_back(m);
    has_head_ = has_head_ || m + 1 == maps.size();
  }
}

ParamVector SharedPart::part_of(const ParamVector& whole) const {
  ParamVector part(symmetry_->layout());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    std::ranges::copy(whole.tensor(tensors_[i]), part.tensor(i).begin());
  }
  return part;
}

void SharedPart::put(const ParamVector& part, ParamVector& whole) const {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    std::ranges::copy(part.tensor(i), whole.tensor(tensors_[i]).begin());
  }
}

GroupElement SharedPart::whole_element(const GroupElement& part) const {
  GroupElement element = whole_.identity();
  for (std::size_t g = 0; g < part.size(); ++g) element[whole_groups_[g]] = part[g];
  return element;
}

MergeOutcome SharedPart::whole_outcome(MergeOutcome part) const {
  MergeOutcome outcome{.merged = ParamVector(whole_.layout())};
  put(part.merged, outcome.merged);
  for (const GroupElement& element : part.elements) outcome.elements.push_back(whole_element(element));
  outcome.iterations = part.iterations;
  outcome.objective = std::move(part.objective);
  outcome.series = std::move(part.series);
  return outcome;
}

ParamVector SharedPart::personal(const MergeOutcome& outcome, std::size_t row, const ParamVector& own) const {
  ParamVector personal = row < outcome.elements.size() ? whole_.apply(outcome.elements[row], own) : own;
  for (const std::size_t tensor : tensors_) {
    std::ranges::copy(outcome.merged.tensor(tensor), personal.tensor(tensor).begin());
  }
  return personal;
}

std::unique_ptr<GradientTerm> SharedPart::whole_term(const GradientTerm& term) const {
  return std::make_unique<WholeTerm>(*this, term);
}

/// Answers at shared weights by what the robot's whole network is with them: its own rest in the basis it is in.
class SharedFleet::Data final : public LocalData {
 public:
  Data(const SharedPart& part, const SymmetrySpec& whole, const ParamVector& own, LocalData& data)
      : part_(part), symmetry_(whole), own_(own), data_(data) {}

  void enter_basis(const GroupElement* element) override {
    moved_.reset();
    if (element != nullptr) moved_ = symmetry_.apply(part_.whole_element(*element), own_);
  }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    ParamVector slopes(symmetry_.layout());
    const double loss = data_.loss_gradient(whole(at), batch, stream, slopes);
    gradient = part_.part_of(slopes);
    return loss;
  }
  Score held_out_score(const ParamVector& at) override { return data_.held_out_score(whole(at)); }
  bool judges() const override { return data_.judges(); }
  bool is_quadratic() const override { return data_.is_quadratic(); }
  Score held_out_loss(const ParamVector& at) override { return data_.held_out_loss(whole(at)); }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    const ParamVector seen = whole(features);
    if (&features == &targets) return data_.map_moments(seen, seen, part_.whole_map(map));
    return data_.map_moments(seen, whole(targets), part_.whole_map(map));
  }
  OutputSums output_sums(const ParamVector& at, std::size_t map) override {
    return data_.output_sums(whole(at), part_.whole_map(map));
  }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override {
    require(part_.has_head(), "the network's last layer is each robot's own, and is not solved for the fleet");
    return data_.head_data(whole(body));
  }
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override {
    return data_.trials(whole(at), episodes, draw);
  }
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override {
    std::optional<WholeTerm> of_whole;
    if (term != nullptr) of_whole.emplace(part_, *term);
    return part_.part_of(data_.take_steps(whole(start), steps, draw, of_whole ? &*of_whole : nullptr));
  }
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override {
    Curvature all = data_.curvature(whole(at), draw);
    Curvature curvature{.gradient = part_.part_of(all.gradient), .maps = {}, .samples = all.samples};
    for (std::size_t m = 0; m < part_.maps().size(); ++m) {
      curvature.maps.push_back(std::move(all.maps[part_.whole_map(m)]));
    }
    return curvature;
  }

 private:
  [[nodiscard]] ParamVector whole(const ParamVector& at) const {
    ParamVector all = moved_ ? *moved_ : own_;
    part_.put(at, all);
    return all;
  }

  const SharedPart& part_;
  const SymmetrySpec& symmetry_;
  const ParamVector& own_;
  LocalData& data_;
  std::optional<ParamVector> moved_;  // own_ in another basis
};

SharedFleet::SharedFleet(const SharedPart& part, const MergeInput& whole) : input_(whole) {
  input_.symmetry = &part.symmetry();
  input_.maps = part.maps();
  input_.has_head = part.has_head();
  weights_.reserve(whole.rows.size() + 2);
  for (MergeRow& row : input_.rows) {
    data_.push_back(std::make_unique<Data>(part, *whole.symmetry, *row.weights, *row.data));
    row.weights = &weights_.emplace_back(part.part_of(*row.weights));
    row.data = data_.back().get();
  }
  if (whole.previous != nullptr) input_.previous = &weights_.emplace_back(part.part_of(*whole.previous));
  if (whole.center != nullptr) input_.center = &weights_.emplace_back(part.part_of(*whole.center));
}

SharedFleet::~SharedFleet() = default;

}  // namespace fleet
