// `fleet keys [PREFIX]`: what can be set, from the code that reads it.
#include <algorithm>
#include <iostream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"
#include "sweep/key_survey.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

std::string quoted(const std::string& text) {
  return Value(text).to_string();
}

/// What may be written: "integer from 1 to 10", "\"adam\" or \"sgd\"".
std::string kind_of(const KeyNote& note) {
  std::vector<std::string> choices;
  for (const std::string& choice : note.choices) choices.push_back(quoted(choice));
  if (note.type == "list of names") return cat("list of ", alternatives(choices));
  if (!choices.empty()) return alternatives(choices);
  const bool bounded = note.range != Range{};
  return cat(note.type, bounded ? cat(' ', note.range.to_string()) : "");
}

/// The default; of a long list, how it begins.
std::string default_of(const KeyNote& note) {
  constexpr std::size_t kLongest = 40;
  const std::string text = note.standard.to_string();
  return text.size() <= kLongest ? text : text.substr(0, text.rfind(',', kLongest)) + ", ...";
}

std::string joined(const std::vector<std::string>& items, const char* separator = ", ") {
  std::string text;
  for (const std::string& item : items) text += cat(text.empty() ? "" : separator, item);
  return text;
}

/// A row for a key: of uses that differ in their default alone, where that goes by one other key, one for all if they
/// are many.
struct Row {
  const KeyUse* use;
  std::string standard;
  std::vector<std::string> conditions;
};

std::vector<Row> rows_of(const SurveyedKey& key) {
  constexpr std::size_t kMany = 3;
  const auto goes_by = [](const KeyUse& use) { return use.conditions.size() == 1 ? use.conditions[0].first : ""; };
  std::vector<Row> rows;
  for (std::size_t i = 0; i < key.uses.size();) {
    const KeyUse& use = key.uses[i];
    std::size_t end = i + 1;
    while (end < key.uses.size() && !goes_by(use).empty() && goes_by(key.uses[end]) == goes_by(use) &&
           key.uses[end].worlds == use.worlds && key.uses[end].note.about == use.note.about) {
      ++end;
    }
    if (end - i > kMany) {
      rows.push_back({&use, cat("by ", goes_by(use), ", ", default_of(use.note), " ..."), {}});
    } else {
      end = i + 1;
      rows.push_back({&use, default_of(use.note), conditions_of(use)});
    }
    i = end;
  }
  return rows;
}

void print(const SurveyedKey& key) {
  std::cout << key.key << '\n';
  std::string_view about;
  for (const auto& [use, standard, conditions] : rows_of(key)) {
    if (use->note.about != about) std::cout << "    " << use->note.about << '\n';
    about = use->note.about;
    std::cout << "      " << kind_of(use->note) << "; default " << standard;
    if (!use->worlds.empty()) std::cout << "; " << joined(use->worlds);
    if (!conditions.empty()) std::cout << "; where " << joined(conditions, " and ");
    std::cout << '\n';
  }
}

/// What a table's cell may hold.
std::string in_cell(std::string text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string section_of(const std::string& key) {
  const std::size_t dot = key.find('.');
  const std::string section = dot == std::string::npos ? "" : key.substr(0, dot);
  const std::size_t second = dot == std::string::npos ? dot : key.find('.', dot + 1);
  return section == "merge" && second != std::string::npos ? key.substr(0, second) : section;
}

void print_rows(const SurveyedKey& key) {
  std::string_view about;
  std::string name = cat('`', key.key, '`');
  for (const auto& [use, standard, conditions] : rows_of(key)) {
    std::string where = joined(use->worlds);
    for (const std::string& condition : conditions) where += cat(where.empty() ? "" : "; ", '`', condition, '`');
    std::cout << "| " << name << " | " << in_cell(use->note.about == about ? "" : std::string(use->note.about)) << " | "
              << in_cell(kind_of(use->note)) << " | `" << in_cell(standard) << "` | " << in_cell(where) << " |\n";
    about = use->note.about;
    name.clear();
  }
}

/// A table for each section, in the order in which they come first.
void print_tables(std::span<const SurveyedKey> keys) {
  std::vector<std::string> sections;
  for (const SurveyedKey& key : keys) {
    if (std::ranges::count(sections, section_of(key.key)) == 0) sections.push_back(section_of(key.key));
  }
  for (const std::string& section : sections) {
    std::cout << "\n## " << (section.empty() ? "The sweep" : section) << '\n'
              << "\n| Key | Meaning | Value | Default | Where |\n|---|---|---|---|---|\n";
    for (const SurveyedKey& key : keys) {
      if (section_of(key.key) == section) print_rows(key);
    }
  }
}

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("markdown", "as tables of a page of the documentation");
  return options;
}

/// What may have been meant by a prefix of no key: keys that hold it, or else the nearest.
std::string what_was_meant(const std::string& prefix, const std::vector<std::string>& names) {
  std::vector<std::string> holding;
  for (const std::string& name : names) {
    if (name.find(prefix) != std::string::npos) holding.push_back(name);
  }
  if (holding.empty()) {
    if (const std::optional<std::string> near = nearest(prefix, names)) holding.push_back(*near);
  }
  return holding.empty() ? "" : cat("; did you mean ", alternatives(holding), '?');
}

/// Those that begin with one of the prefixes; ConfigError for a prefix of none.
std::vector<SurveyedKey> chosen(std::span<const SurveyedKey> keys, const Arguments& prefixes) {
  std::vector<SurveyedKey> found;
  for (const std::string& prefix : prefixes) {
    std::vector<std::string> names;
    const std::size_t before = found.size();
    for (const SurveyedKey& key : keys) {
      names.push_back(key.key);
      if (key.key.starts_with(prefix)) found.push_back(key);
    }
    if (found.size() > before) continue;
    throw ConfigError(cat("no setting begins with ", prefix, what_was_meant(prefix, names)));
  }
  return found;
}

int print_keys(const Call& call) {
  std::vector<SurveyedKey> keys = survey_keys(call.worlds);
  if (call.has("PREFIX")) keys = chosen(keys, call.get<Arguments>("PREFIX"));
  if (call.has("markdown")) {
    print_tables(keys);
  } else {
    for (const SurveyedKey& key : keys) print(key);
  }
  return 0;
}

/// Of all keys.
std::vector<std::string> key_names(std::span<const WorldEntry> worlds) {
  std::vector<std::string> names;
  for (const SurveyedKey& key : survey_keys(worlds)) names.push_back(key.key);
  return names;
}

}  // namespace

Command command::keys() {
  return {.name = "keys",
          .summary = "say what can be set, and what it means: fleet keys merge.fleet-merge",
          .usage = "[PREFIX ...] [--markdown]",
          .operand = {.name = "PREFIX", .many = true, .optional = true, .choices = key_names},
          .options = options,
          .run = print_keys};
}

}  // namespace fleet
