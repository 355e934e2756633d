from fleet_analysis.style import FALLBACK, KNOWN, method_styles, setting_label, value_label


def test_a_method_keeps_its_look_whoever_else_is_there() -> None:
    few = method_styles(["fleet-merge", "brand-new"])
    many = method_styles(["average", "brand-new", "fleet-merge", "joint", "fisher"])
    assert all(few[name] == many[name] for name in few)


def test_unknown_methods_differ_from_each_other_and_from_the_known() -> None:
    unknown = [f"method-{i}" for i in range(len(FALLBACK))]
    styles = method_styles([*KNOWN, *unknown])
    assert len({style.colour for style in styles.values()}) == len(styles)
    markers = [style.marker for style in styles.values() if not style.reference]
    assert len(set(markers)) == len(markers)


def test_more_unknown_methods_than_colours_are_still_drawn() -> None:
    assert len(method_styles(f"method-{i}" for i in range(20))) == 20


def test_references_come_last_and_are_broken_lines_in_grey() -> None:
    styles = method_styles(["local", "zebra", "joint", "average"])
    assert list(styles) == ["average", "zebra", "joint", "local"]
    for name in ("local", "joint"):
        colour = styles[name].colour
        assert colour[1:3] == colour[3:5] == colour[5:7]
        assert styles[name].linestyle != "-"


def test_values_are_worded() -> None:
    assert value_label("merge.every_epochs", 0) == "one-shot"
    assert value_label("fleet.alpha", 0.01) == "0.01"
    assert value_label("model.hidden", "[128, 128, 128]") == "3 × 128"
    assert value_label("model.hidden", "[128, 64]") == "[128, 64]"
    assert value_label("model.hidden", "[128]") == "[128]"
    assert setting_label("merge.every_epochs", 1) == "merge every epoch"
    assert setting_label("merge.every_epochs", 5) == "merge every 5 epochs"
    assert setting_label("merge.every_epochs", 0) == "one-shot merge"
    assert setting_label("fleet.alpha", 1.0) == "α = 1"
    assert setting_label("merge.fisher.ridge", 0.5) == "ridge = 0.5"
