"""What some released networks compute, stated from their public code with the originals' names, without modules."""

import torch
import torch.nn.functional as F


def did_anet(w, x):
    """Map and picture."""

    def conv(name, x):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def half(letter, x, blocks):
        x = conv(f"conv01{letter}", x)
        for block in range(1, blocks + 1):
            name = f"convRes{block:02}{letter}"
            x = x + (0.1 if letter == "b" and block > 4 else 1) * conv(f"{name}.2", conv(f"{name}.0", x).relu())
        return conv(f"conv03{letter}", conv(f"conv02{letter}", x))

    defocus = half("a", x, 4)
    return defocus, x + half("b", torch.cat([x, defocus], 1), 16)


def nafnet(w, x):
    def conv(name, x, **options):
        return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), **options)

    def norm(name, x):
        centred = x - x.mean(1, keepdim=True)
        y = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return y * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def gate(x):
        c = x.shape[1] // 2
        return x[:, :c] * x[:, c:]

    def block(name, x):
        y = conv(f"{name}.conv1", norm(f"{name}.norm1", x))
        y = gate(conv(f"{name}.conv2", y, padding=1, groups=y.shape[1]))
        y = y * conv(f"{name}.sca.1", F.adaptive_avg_pool2d(y, 1))
        x = x + conv(f"{name}.conv3", y) * w[f"{name}.beta"]
        return x + conv(f"{name}.conv5", gate(conv(f"{name}.conv4", norm(f"{name}.norm2", x)))) * w[f"{name}.gamma"]

    y, skipped = conv("intro", x, padding=1), []
    for level, depth in enumerate((1, 1, 1, 28)):
        for k in range(depth):
            y = block(f"encoders.{level}.{k}", y)
        skipped.append(y)
        y = conv(f"downs.{level}", y, stride=2)
    y = block("middle_blks.0", y)
    for level in range(4):
        y = block(f"decoders.{level}.0", F.pixel_shuffle(conv(f"ups.{level}.0", y), 2) + skipped[3 - level])
    return x + conv("ending", y, padding=1)


def mimo_unet(w, x, blocks):
    """The pictures, coarse to fine."""

    def conv(name, x, stride=1):
        weight = w[f"{name}.main.0.weight"]
        return F.conv2d(x, weight, w[f"{name}.main.0.bias"], stride, padding=weight.shape[-1] // 2)

    def up(name, x):
        return F.conv_transpose2d(x, w[f"{name}.main.0.weight"], w[f"{name}.main.0.bias"], stride=2, padding=1).relu()

    def deep(name, x):
        for k in range(blocks):
            x = x + conv(f"{name}.layers.{k}.main.1", conv(f"{name}.layers.{k}.main.0", x).relu())
        return x

    def shallow(name, x):
        y = x
        for step in range(4):
            y = conv(f"{name}.main.{step}", y).relu()
        return conv(f"{name}.conv", torch.cat([x, y], 1))

    def attended(name, a, b):
        return a + conv(f"{name}.merge", a * b)

    def fused(name, *levels):
        return conv(f"{name}.conv.1", conv(f"{name}.conv.0", torch.cat(levels, 1)).relu())

    def larger(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x2, x4 = x[..., ::2, ::2], x[..., ::4, ::4]
    a = deep("Encoder.0", conv("feat_extract.0", x).relu())
    b = deep("Encoder.1", attended("FAM2", conv("feat_extract.1", a, 2).relu(), shallow("SCM2", x2)))
    c = deep("Encoder.2", attended("FAM1", conv("feat_extract.2", b, 2).relu(), shallow("SCM1", x4)))
    whole = fused("AFFs.0", a, larger(b), larger(larger(c)))
    half = fused("AFFs.1", a[..., ::2, ::2], b, larger(c))
    z = deep("Decoder.0", c)
    made = [x4 + conv("ConvsOut.0", z)]
    z = deep("Decoder.1", conv("Convs.0", torch.cat([up("feat_extract.3", z), half], 1)).relu())
    made.append(x2 + conv("ConvsOut.1", z))
    z = deep("Decoder.2", conv("Convs.1", torch.cat([up("feat_extract.4", z), whole], 1)).relu())
    return [*made, x + conv("feat_extract.5", z)]


def dpdnet(w, x, first=1):
    """A BGR picture of a BGR picture."""
    numbers = iter(range(first, first + 24))

    def conv(x):
        number = next(numbers)
        kernel = w[f"conv2d_{number}/conv2d_{number}/kernel:0"].permute(3, 2, 0, 1)
        before = (kernel.shape[-1] - 1) // 2
        after = kernel.shape[-1] - 1 - before
        return F.conv2d(F.pad(x, (before, after, before, after)), kernel, w[f"conv2d_{number}/conv2d_{number}/bias:0"])

    skipped = []
    for level in range(5):
        x = F.max_pool2d(x, 2) if level else x
        x = conv(conv(x).relu()).relu()
        skipped.append(x)
    for skip in skipped[3::-1]:
        x = conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3)).relu()
        x = conv(conv(torch.cat([skip, x], 1)).relu()).relu()
    return conv(conv(x).relu()).sigmoid()


def dme_net(w, x):
    """The map in units of 15 px of the circle of confusion."""
    place = "main_net/defocus_net"

    def conv(name, x):
        kernel = w[f"{place}/{name}/kernel:0"].permute(3, 2, 0, 1)
        reach = kernel.shape[-1] // 2
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2) if reach else x  # symmetric padding by one
        x = torch.cat([x[..., :1], x, x[..., -1:]], 3) if reach else x
        return F.conv2d(x, kernel, w[f"{place}/{name}/bias:0"])

    def normed(name, number, x):
        def of(part):
            return w[f"{place}/decoder/{name}/b{number}/{part}:0"][:, None, None]

        x = (conv(f"decoder/{name}/c{number}", x) - of("moving_mean")) / (of("moving_variance") + 1e-5).sqrt()
        return F.leaky_relu(x + of("beta"), 0.2)

    red, green, blue = (255 * x).unbind(1)
    y, skipped = torch.stack([blue - 103.939, green - 116.779, red - 123.68], 1), []
    for level, count in enumerate((2, 2, 4, 4, 4), 1):
        y = F.max_pool2d(y, 2) if skipped else y
        for k in range(1, count + 1):
            y = conv(f"encoder/conv{level}_{k}", y).relu()
        skipped.append(y)
    for level in (3, 2, 1, 0):
        y = torch.cat([y.repeat_interleave(2, 2).repeat_interleave(2, 3), skipped[level]], 1)
        for number in (1, 2, 3) if level else ("_init",):
            y = normed(f"u{level}", number, y)
    for k in range(7):
        y = normed("u0", f"{k}_2", normed("u0", f"{k}_1", y)) + normed("u0", f"_res{k}", y)
    return conv("decoder/uf/c3", normed("uf", 2, normed("uf", 1, y))).sigmoid()


def mprnet(w, x):
    """The pictures of the three stages, the last first."""

    def conv(name, x):
        weight = w[f"{name}.weight"]
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)

    def cab(name, x):
        y = conv(f"{name}.body.2", F.prelu(conv(f"{name}.body.0", x), w[f"{name}.body.1.weight"]))
        means = F.adaptive_avg_pool2d(y, 1)
        return x + y * conv(f"{name}.CA.conv_du.2", conv(f"{name}.CA.conv_du.0", means).relu()).sigmoid()

    def pair(name, x):
        return cab(f"{name}.1", cab(f"{name}.0", x))

    def larger(name, x):
        return conv(name, F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))

    def encoder(stage, x, earlier=None):
        levels = []
        for k in (1, 2, 3):
            name = f"stage{stage}_encoder"
            x = conv(f"{name}.down{k - 1}{k}.down.1", F.avg_pool2d(x, 2)) if k > 1 else x
            x = pair(f"{name}.encoder_level{k}", x)
            if earlier:
                x = x + conv(f"{name}.csff_enc{k}", earlier[0][k - 1]) + conv(f"{name}.csff_dec{k}", earlier[1][k - 1])
            levels.append(x)
        return levels

    def decoder(stage, levels):
        name = f"stage{stage}_decoder"
        third = pair(f"{name}.decoder_level3", levels[2])
        joined = larger(f"{name}.up32.up.1", third) + cab(f"{name}.skip_attn2", levels[1])
        second = pair(f"{name}.decoder_level2", joined)
        joined = larger(f"{name}.up21.up.1", second) + cab(f"{name}.skip_attn1", levels[0])
        return [pair(f"{name}.decoder_level1", joined), second, third]

    def sam(name, y, x):
        made = x + conv(f"{name}.conv2", y)
        return y + conv(f"{name}.conv1", y) * conv(f"{name}.conv3", made).sigmoid(), made

    def shallow(k, x):
        return cab(f"shallow_feat{k}.1", conv(f"shallow_feat{k}.0", x))

    def both(parts, dim):
        return [torch.cat(pair, dim) for pair in zip(*parts, strict=True)]

    halves = []
    for half in x.chunk(2, 2):
        encoded = both([encoder(1, shallow(1, quarter)) for quarter in half.chunk(2, 3)], 3)
        decoded = decoder(1, encoded)
        attended, first = sam("sam12", decoded[0], half)
        joined = conv("concat12", torch.cat([shallow(2, half), attended], 1))
        halves.append((first, encoder(2, joined, (encoded, decoded))))
    encoded = both([levels for _, levels in halves], 2)
    decoded = decoder(2, encoded)
    attended, second = sam("sam23", decoded[0], x)
    y = conv("concat23", torch.cat([shallow(3, x), attended], 1))
    for k in (1, 2, 3):
        z = y
        for block in range(8):
            z = cab(f"stage3_orsnet.orb{k}.body.{block}", z)
        y = y + conv(f"stage3_orsnet.orb{k}.body.8", z)
        for part, levels in (("enc", encoded), ("dec", decoded)):
            raised, name = levels[k - 1], f"stage3_orsnet.up_{part}{k - 1}"
            for step in {1: (), 2: (".up.1",), 3: (".0.up.1", ".1.up.1")}[k]:
                raised = larger(name + step, raised)
            y = y + conv(f"stage3_orsnet.conv_{part}{k}", raised)
    return x + conv("tail", y), second, torch.cat([first for first, _ in halves], 2)


def ifan(w, x):
    """The picture, not clipped, and the filters."""

    def plain(name, x, stride=1):
        weight = w[f"{name}.weight"]
        return F.conv2d(x, weight, w[f"{name}.bias"], stride, padding=weight.shape[-1] // 2)

    def active(x):
        return torch.where(x > 0, x, 0.1 * x)

    def conv(name, x, stride=1):
        return active(plain(f"Network.{name}.0", x, stride))

    def residuals(name, x, count):
        y = x
        for k in range(count):
            stem = f"Network.{name}.stem.{k}"
            y = active(y + plain(f"{stem}.2", active(plain(f"{stem}.0", y))))
        return x + y if count > 1 else y

    def pyramid(part):
        y, levels = x, []
        for level in (1, 2, 3, 4):
            for k in (1, 2, 3):
                y = conv(f"{part}{level}_{k}", y, stride=2 if level > 1 and k == 1 else 1)
            levels.append(y)
        return levels

    def deep(name, y):
        return residuals(f"{name}.2", residuals(f"{name}.1", conv(f"{name}.0", y), 2), 2)

    def filtered(y, kernel, dim):  # the released code's: one kernel both ways
        size = y.shape[dim]
        before, after = y.narrow(dim, 0, 1), y.narrow(dim, size - 1, 1)
        wide = torch.cat([before, y, after], dim)
        return sum(wide.narrow(dim, tap, size) * kernel[:, tap::3] for tap in range(3))

    levels, blur = pyramid("conv"), pyramid("kconv")[-1]
    disparity = plain("Network.DME.3", deep("DME", blur))
    joined = conv("conv4_4.3", deep("conv4_4", torch.cat([blur, conv("conv_DME", disparity)], 1)))
    filters = plain("Network.F.3", deep("F", joined))
    y = levels[3]
    for k in range(17):
        kernel, bias = filters[:, 768 * k : 768 * k + 384], filters[:, 13056 + 128 * k : 13056 + 128 * (k + 1)]
        y = active(filtered(filtered(y, kernel, 2), kernel, 3) + bias)
    y = conv("conv_res.2", residuals("conv_res.1", conv("conv_res.0", y), 3))
    for level in (3, 2, 1):
        name = f"Network.upconv{level}_u.0"
        y = active(F.conv_transpose2d(y, w[f"{name}.weight"], w[f"{name}.bias"], 2, 1)) + levels[level - 1]
        y = residuals(f"upconv{level}_2", residuals(f"upconv{level}_1", y, 1), 1)
    return x + conv("out_res", y), filters
