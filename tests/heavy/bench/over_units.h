/* Plain loops over the units of a layer, one example at a time; few sums cross a vector. */

static double gradient(void)
{
    double total = 0;
    memset(&g, 0, sizeof g);
    for (int r = 0; r < ROWS; r++) {
        double a1[H], a2[H], d1[H], d2[H];
        for (int j = 0; j < H; j++) {
            double z = p.b1[j] + p.w1[0][j] * X[r][0] + p.w1[1][j] * X[r][1];
            a1[j] = z > 0 ? z : 0;
        }
        for (int j = 0; j < H; j++)
            a2[j] = p.b2[j];
        for (int k = 0; k < H; k++)
            for (int j = 0; j < H; j++)
                a2[j] += p.w2[k][j] * a1[k];
        double score = p.b3;
        for (int j = 0; j < H; j++) {
            a2[j] = a2[j] > 0 ? a2[j] : 0;
            score += p.w3[j] * a2[j];
        }
        double margin = 1 - Y[r] * score;
        double d = margin > 0 ? -Y[r] : 0;
        total += margin > 0 ? margin : 0;
        g.b3 += d;
        for (int j = 0; j < H; j++) {
            g.w3[j] += d * a2[j];
            d2[j] = a2[j] > 0 ? d * p.w3[j] : 0;
            g.b2[j] += d2[j];
            d1[j] = 0;
        }
        for (int k = 0; k < H; k++)
            for (int j = 0; j < H; j++)
                g.w2[k][j] += a1[k] * d2[j];
        for (int j = 0; j < H; j++)
            for (int k = 0; k < H; k++)
                d1[k] += w2_back[j][k] * d2[j];
        for (int k = 0; k < H; k++) {
            double dz = a1[k] > 0 ? d1[k] : 0;
            g.b1[k] += dz;
            g.w1[0][k] += dz * X[r][0];
            g.w1[1][k] += dz * X[r][1];
        }
    }
    return total;
}
